"""What the scripted model answers about the sample program."""

from __future__ import annotations


def block(path: str, search: str, replace: str) -> str:
    """One search/replace block."""
    return f"{path}\n```\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n```\n\n"


LADDER = """\
        if line.quantity >= 100:
            discount = Decimal("0.12")
        elif line.quantity >= 25:
            discount = Decimal("0.06")
        else:
            discount = Decimal("0")
        if order.customer.trade:
            discount += Decimal("0.05")
"""
CALL = "        discount = _discount(line.quantity, order.customer.trade)\n"
HEAD = "def quote_lines(order, catalogue):\n"
FUNCTION = '''\
def _discount(quantity, trade):
    """The share that is taken off a line, such as 0.11."""
    bulk = "0.12" if quantity >= 100 else "0.06" if quantity >= 25 else "0"
    return Decimal(bulk) + Decimal("0.05" if trade else "0")


'''
TWO_HUNKS = (
    "The discount gets a function of its own.\n\n"
    + block("tally/quotes.py", HEAD, FUNCTION + HEAD)
    + block("tally/quotes.py", LADDER, CALL)
)

IMPORT = "from decimal import ROUND_HALF_UP, Decimal\n"
SHARED = "from decimal import Decimal\n\nfrom tally.pricing import to_cents\n"
PRICING = '''\
"""Prices: how amounts are rounded, in one place."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def to_cents(amount):
    """The amount in whole cents; half a cent is rounded up."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
'''
ROUNDED_QUOTE = 'cost.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)'
ROUNDED_LINE = '(price * quantity * (1 - rate)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)'
ROUNDED_VAT = '(net * VAT).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)'
THREE_FILES = (
    "Rounding moves to a module of its own.\n\n"
    + block("tally/pricing.py", "", PRICING)
    + block("tally/quotes.py", IMPORT, SHARED)
    + block(
        "tally/quotes.py",
        f"        result.append((line, product, {ROUNDED_QUOTE}))\n",
        "        result.append((line, product, to_cents(cost)))\n",
    )
    + block("tally/invoices.py", IMPORT, SHARED)
    + block("tally/invoices.py", f"    return {ROUNDED_LINE}\n", "    return to_cents(price * quantity * (1 - rate))\n")
    + block("tally/invoices.py", f"    vat = {ROUNDED_VAT}\n", "    vat = to_cents(net * VAT)\n")
)
VAT_CALL = block("tally/invoices.py", f"    vat = {ROUNDED_VAT}\n", "    vat = to_cents(net * VAT)\n")
GROWING = VAT_CALL + "tally/rates.py\n```python\n" + "".join(f"RATE_{number} = {number}\n" for number in range(60)) + "```\n"
OUTLINE = (
    "1. Create tally/pricing.py with one function that rounds to cents, half up, as all the copies do today.\n"
    "2. Use it in tally/quotes.py and tally/invoices.py.\n"
    "3. Leave amounts, texts and tests as they are."
)
OTHER_OUTLINE = "1. Create tally/rounding.py with one function that rounds to cents.\n2. Use it in tally/quotes.py and tally/invoices.py."
EXPLANATION = (
    "`quote_lines` works out **what each line would cost**:\n\n- bulk discount by quantity\n- a further share for trade customers\n"
)
