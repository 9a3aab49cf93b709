"""The second opinion: compares a database that headwater wrote with what boto3 returns for the same calls.

    oracle --endpoint URL --database FILE --tables TABLES.json [--only NAME …] [--derive]

TABLES.json is what `headwater tables --format json` prints. Every table of it that has rows, or is named with
`--only`, is compared; the exit code is 1 where one differs or has no line in `tables.py`.
"""

import argparse
import json
import sqlite3
import sys

from botocore.exceptions import ClientError, ParamValidationError
from calls import Client, Unanswered
from compare import compare
from derive import derive
from fetch import Fetch
from tables import BY_NAME


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--tables", required=True)
    parser.add_argument("--regions", default="us-east-1,eu-west-1")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--derive", action="store_true", help="take no line of tables.py, derive them all")
    arguments = parser.parse_args()
    with open(arguments.tables, encoding="utf-8") as file:
        schemas = {table["name"]: table for table in json.load(file)}
    database = sqlite3.connect(arguments.database)
    database.row_factory = sqlite3.Row
    client = Client(arguments.endpoint)
    tables = {} if arguments.derive else dict(BY_NAME)
    for name, schema in schemas.items():
        derived = None if name in tables else derive(schema, client)
        if derived is not None:
            tables[name] = derived
    fetch = Fetch(client, tables, arguments.regions.split(","))
    failed = 0
    for name in arguments.only or sorted(schemas):
        problems, line = judge(name, schemas, database, client, fetch)
        print(f"{'differs' if problems else 'equal  '}  {name}  {line}")
        for problem in problems:
            print(f"          {problem}")
        failed += bool(problems)
    print(f"{len(arguments.only or schemas) - failed} tables equal, {failed} differ")
    return 1 if failed else 0


def judge(name, schemas, database, client, fetch):
    """The problems of a table, and one line about it."""
    if name not in schemas:
        return ["headwater has no such table"], ""
    if name not in fetch.tables:
        return ["no line in e2e/oracle/tables.py says which call of boto3 it stands for"], ""
    table = fetch.tables[name]
    try:
        items = fetch.items(name)
    except (ClientError, ParamValidationError) as error:
        return [f"boto3 cannot make the call: {error}; write a line into e2e/oracle/tables.py"], ""
    except Unanswered as error:
        return [f"the local AWS does not answer {error}: put the table into e2e/unsupported.txt"], ""
    rows = [dict(row) for row in database.execute(f'SELECT * FROM "{name}"')]
    parents = set()
    if table.of is not None:
        parents = {row[0] for row in database.execute(f'SELECT _cq_id FROM "{table.of}"')}
    found = compare(table, schemas[name], rows, items, client, parents)
    line = f"{found.rows} rows, {len(found.compared)} columns compared, {len(found.ruled)} by rule"
    if table.derived:
        line += ", call derived"
    if found.unchecked and not table.derived:
        found.problems.append(
            f"{', '.join(sorted(found.unchecked))}: boto3 has no such member; say in e2e/oracle/tables.py what it holds"
        )
    elif found.unchecked:
        line += f", not checked: {', '.join(sorted(found.unchecked))}"
    return found.problems, line


if __name__ == "__main__":
    sys.exit(main())
