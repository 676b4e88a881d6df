"""``python -m riskcalc`` is the command line."""

from riskcalc.cli.main import main

if __name__ == "__main__":
    main()
