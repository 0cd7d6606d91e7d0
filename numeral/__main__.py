"""`python -m numeral`, as `numeral`."""

from numeral.command_line import main

main()
