# Short names for the commands in CONTRIBUTING.md. "just" alone lists them.

python := ".venv/bin/python"

_list:
    @just --list

# Run the tests; arguments go to pytest: just test -n 0 tests/test_bench.py
test *arguments:
    {{python}} -m pytest {{arguments}}

# Check style, formatting, and which folder imports which.
lint:
    .venv/bin/ruff check . && .venv/bin/ruff format --check .
    .venv/bin/lint-imports

# Check the types.
types:
    .venv/bin/mypy

# Measure everything (a quarter of an hour) and write docs/measurements.md; or: just bench --only training
bench *arguments:
    {{python}} -m bench {{arguments}}

# Bring the figures and screenshots in the documents up to date, when the reference runs or the measurements are new.
figures *arguments:
    {{python}} -m bench.figures {{arguments}}

# Open the dashboard in a browser.
serve *arguments:
    .venv/bin/streamlit run dashboard.py {{arguments}}
