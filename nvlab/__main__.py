"""`python -m nvlab`: the same as the `nvlab` command."""
import sys

from nvlab.tools.main import main

sys.exit(main())
