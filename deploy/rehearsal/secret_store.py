"""A local Secrets Manager and Parameter Store, and how the platform fetches values from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.rehearsal.progress import DeployError
from deploy.rehearsal.tools import local_client


class SecretStore:
    """Both stores, at the address of a moto server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def put_secret(self, name: str, value: str) -> str:
        """Create a secret, or set its new value. Returns its ARN."""
        client = local_client("secretsmanager", self._url)
        try:
            return str(client.put_secret_value(SecretId=name, SecretString=value)["ARN"])
        except client.exceptions.ResourceNotFoundException:
            return str(client.create_secret(Name=name, SecretString=value)["ARN"])

    def put_parameter(self, name: str, value: str) -> str:
        """Create an encrypted parameter, or set its new value. Returns its ARN."""
        client = local_client("ssm", self._url)
        client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
        return str(client.get_parameter(Name=name)["Parameter"]["ARN"])

    def fetch_all(self, arns: Mapping[str, str]) -> dict[str, str]:
        """{variable: value}, as the platform does while an instance starts. Raises DeployError if one is missing."""
        return {variable: self._fetch(variable, arn) for variable, arn in arns.items()}

    def _fetch(self, variable: str, arn: str) -> str:
        try:
            if arn.split(":")[2] == "ssm":
                return str(self._parameter(arn)["Parameter"]["Value"])
            return self._secret(arn)
        except (ClientError, KeyError, ValueError) as error:
            raise DeployError(
                f"The secret of {variable} cannot be fetched: {error}. "
                "Check the ARN in .ebextensions and the permissions of the instance profile."
            ) from error

    def _parameter(self, arn: str) -> dict[str, Any]:
        client = local_client("ssm", self._url)
        name = arn.partition(":parameter")[2]
        return dict(client.get_parameter(Name=name, WithDecryption=True))

    def _secret(self, arn: str) -> str:
        """The value, or one field of it if a JSON key follows the ARN."""
        parts = arn.split(":")
        whole, key = ":".join(parts[:7]), parts[7] if len(parts) > 7 else None
        text = str(local_client("secretsmanager", self._url).get_secret_value(SecretId=whole)["SecretString"])
        if key is None:
            return text
        field = json.loads(text)[key]
        return field if isinstance(field, str) else json.dumps(field)
