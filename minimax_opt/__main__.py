"""``python -m minimax_opt``: the same as the `minimax-opt` command."""

from minimax_opt.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
