"""Shows what the demo has synced: some questions to the SQLite file, in SQL, with their answers.

    show.py DATABASE [PATTERN …]

With patterns of tables, their first rows instead.
"""

import fnmatch
import json
import sqlite3
import sys

QUESTIONS = [
    (
        "Which machines run where, and for whom?",
        """
SELECT i.region, json_extract(v.tags, '$.Name') AS network, json_extract(i.tags, '$.Team') AS team,
       i.instance_type, json_extract(i.state, '$.Name') AS state, count(*) AS machines
FROM aws_ec2_instances i JOIN aws_ec2_vpcs v ON v.vpc_id = i.vpc_id AND v.region = i.region
GROUP BY 1, 2, 3, 4, 5 ORDER BY machines DESC LIMIT 8""",
    ),
    (
        "Which machines can the internet reach, and through which rule?",
        """
SELECT i.region, json_extract(i.tags, '$.Name') AS machine, g.group_name, json_extract(p.value, '$.FromPort') AS port
FROM aws_ec2_instances i, json_each(i.security_groups) s
JOIN aws_ec2_security_groups g ON g.group_id = json_extract(s.value, '$.GroupId') AND g.region = i.region,
     json_each(g.ip_permissions) p
WHERE p.value LIKE '%0.0.0.0/0%' ORDER BY 1, 2, 4 LIMIT 6""",
    ),
    (
        "Which buckets are neither versioned nor closed to the public?",
        """
SELECT b.name, b.region, json_extract(b.tags, '$.Purpose') AS purpose, count(r._cq_id) AS encryption_rules
FROM aws_s3_buckets b LEFT JOIN aws_s3_bucket_encryption_rules r ON r._cq_parent_id = b._cq_id
WHERE coalesce(b.versioning_status, '') <> 'Enabled' AND coalesce(b.block_public_policy, 0) = 0
GROUP BY 1, 2, 3 ORDER BY 1""",
    ),
    (
        "Who may do almost anything, and through which group?",
        """
SELECT u.user_name, g.group_name, p.policy_name, count(k.access_key_id) AS access_keys
FROM aws_iam_users u
JOIN aws_iam_user_groups g ON g.user_arn = u.arn
JOIN aws_iam_group_attached_policies p ON p.group_arn = g.arn
LEFT JOIN aws_iam_user_access_keys k ON k.user_arn = u.arn
WHERE p.policy_name LIKE '%Admin%' OR p.policy_name LIKE '%FullAccess%'
GROUP BY 1, 2, 3 ORDER BY 1, 3""",
    ),
]
WIDEST = 40


def main():
    database = sqlite3.connect(sys.argv[1])
    patterns = sys.argv[2:]
    if patterns:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for name in names:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                show(database, name, f'SELECT * FROM "{name}" LIMIT 5')
        return
    for title, query in QUESTIONS:
        show(database, title, query)


def show(database, title, query):
    print(f"\n{title}\n")
    print("\n".join(f"    {line}" for line in query.strip().splitlines()), end="\n\n")
    cursor = database.execute(query)
    names = [column[0] for column in cursor.description]
    rows = [[cell(value) for value in row] for row in cursor]
    if not rows:
        print("  (no rows)")
        return
    if sum(max(len(name), *(len(row[index]) for row in rows)) + 2 for index, name in enumerate(names)) > 160:
        upright(names, rows)
        return
    widths = [max(len(line[index]) for line in [names, *rows]) for index in range(len(names))]
    for line in [names, ["-" * width for width in widths], *rows]:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def upright(names, rows):
    """Rows that are too wide for a terminal: one line per column that has a value."""
    width = max(map(len, names))
    for row in rows:
        for name, text in zip(names, row):
            if text:
                print(f"  {name.ljust(width)}  {text}")
        print()


def cell(value):
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


if __name__ == "__main__":
    main()
