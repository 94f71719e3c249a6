"""``python -m unisono``: the console command."""

from unisono.cli import main

if __name__ == "__main__":
    main()
