"""Tables of the report, one place each: how a table is made, and its caption beside it. Nothing here reads files."""
