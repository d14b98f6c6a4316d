"""The class's server: one key, many people, and a ledger that nobody overspends.

`ledger` and what it stands on keep classes, people and runs in a database; `reading` tells what a body asks for; the
`Carrier` sends each run at most once; `app` is what people's clients speak to, with a module in `routes` for each part.
"""
