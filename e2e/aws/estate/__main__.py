"""Builds a believable estate on a local AWS: two regions, five networks, fifty instances, buckets, people and roles.

The ids are the same in every run, because moto's random numbers are seeded first; only points in time differ.
"""

import argparse
import json
import sys
import time
import urllib.request

import compute
import identity
import network
import storage
from aws import Aws
from lacking import answered


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True, help="the address of moto's server")
    parser.add_argument(
        "--managed-policies", action="store_true", help="moto was started with AWS's own policies, so attach them"
    )
    parser.add_argument("--lacking", action="store_true", help="also try the calls that moto is known to lack")
    arguments = parser.parse_args()
    urllib.request.urlopen(
        urllib.request.Request(f"{arguments.endpoint}/moto-api/seed?a=20261121", method="POST")
    ).close()
    aws = Aws(arguments.endpoint)
    began = time.monotonic()
    people = identity.build(aws, arguments.managed_policies)
    buckets = storage.build(aws)
    networks = network.build(aws)
    instances = compute.build(aws, networks)
    report = {
        "networks": len(networks),
        "instances": instances,
        "buckets": buckets,
        "users": people,
        "seconds": round(time.monotonic() - began, 1),
    }
    if arguments.lacking:
        report["lacking_now_answered"] = answered(aws)
    json.dump(report, sys.stdout)
    print()


if __name__ == "__main__":
    main()
