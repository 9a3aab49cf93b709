"""Makes one call of a local AWS, and prints what came back as JSON.

    call.py ENDPOINT REGION SERVICE METHOD ARGUMENTS

METHOD is boto3's name of the call (`create_vpc`), ARGUMENTS a JSON object.
"""

import json
import sys

import boto3
from botocore.config import Config


def main():
    endpoint, region, service, method, arguments = sys.argv[1:]
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    client = boto3.client(service, region_name=region, endpoint_url=endpoint, config=config)
    answer = getattr(client, method)(**json.loads(arguments))
    answer.pop("ResponseMetadata", None)
    json.dump(answer, sys.stdout, default=str)


if __name__ == "__main__":
    main()
