"""`python -m tenuto.cli`: the command line where the script `tenuto` is not on the path."""

from tenuto.cli import main

main()
