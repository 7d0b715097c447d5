"""`python -m ralph`."""

from ralph.cli import main

if __name__ == "__main__":
    main()
