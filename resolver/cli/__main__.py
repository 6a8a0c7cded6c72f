"""``python -m resolver.cli``: the command ``inland`` where it is not installed."""

from resolver.cli import main

if __name__ == "__main__":
    main()
