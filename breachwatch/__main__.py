"""`python -m breachwatch` is `breachwatch`."""

from breachwatch.cli import main

if __name__ == "__main__":
    main()
