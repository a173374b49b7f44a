"""The one table from AWS's errors to nbbatch's; the most specific row wins.

Looked up in this order: the message, where a code says too little (`MESSAGES`); the code
(`CODES`); botocore's own exception (`EXCEPTIONS`, by its nearest base); the HTTP status.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
https://docs.aws.amazon.com/batch/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.exceptions as vendor
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from nbbatch.backends.aws import codes
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    ConfigurationError,
    ConflictError,
    CredentialsError,
    InvalidRequestError,
    LimitError,
    NbbatchError,
    NotFoundError,
    RegionError,
    ServiceError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = type[NbbatchError]

#: What botocore, or urllib3 below it, raises; an answer that is none is no `BotoCoreError`.
VENDOR = (BotoCoreError, ClientError, HTTPError, ResponseParserError)

CODES: dict[str, Kind] = {
    code: kind
    for kind, text in (
        (CredentialsError, codes.CREDENTIALS),
        (AccessDeniedError, codes.ACCESS),
        (NotFoundError, codes.NOT_FOUND),
        (RegionError, codes.REGION),
        (InvalidRequestError, codes.INVALID),
        (LimitError, codes.LIMIT),
        (ThrottledError, codes.THROTTLED),
        (ConflictError, codes.CONFLICT),
        (UnreachableError, codes.UNREACHABLE),
        (StorageFullError, codes.FULL),
        (ServiceError, codes.SERVICE),
    )
    for code in text.split()
}

DEFINITION = re.compile(
    r"job ?definition\b.*(not found|does not exist|not in active)", re.IGNORECASE | re.DOTALL
)

_QUEUE_HINT = "--queue NAME; aws batch describe-job-queues lists them"
_ROLE_HINT = "--iam-role ARN; aws iam list-roles lists them"


class Row(NamedTuple):
    """What a message means, where its code says too little or the hint can be better."""

    code: str
    pattern: re.Pattern[str]
    kind: Kind
    hint: str = ""


def _row(code: str, pattern: str, kind: Kind, hint: str = "") -> Row:
    return Row(code, re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, hint)


MESSAGES = (
    Row("ClientException", DEFINITION, NotFoundError, "run it again: it is registered anew"),
    _row("ClientException", r"queue\b.*not (found|exist)", NotFoundError, _QUEUE_HINT),
    _row("ClientException", r"queue\b.*(not in|disabled|not valid)", ConflictError, _QUEUE_HINT),
    _row(
        "ClientException",
        r"\brole\b.*(not valid|invalid|not exist|not found)",
        NotFoundError,
        _ROLE_HINT,
    ),
    _row("ClientException", r"(invalid|not a valid).*\brole\b", NotFoundError, _ROLE_HINT),
    _row(
        "ClientException", r"not authori[sz]ed|access ?denied|unable to assume", AccessDeniedError
    ),
    _row("ClientException", r"not found|does(n't| not) exist", NotFoundError),
    _row(
        "ClientException",
        r"limit|quota|exceed|too (long|large|many|big)|at most|maximum",
        LimitError,
    ),
    _row("AuthorizationHeaderMalformed", r"credential is mal", CredentialsError),
    _row(
        "AccessDeniedException",
        r"iam:PassRole",
        AccessDeniedError,
        "check the role's name (--iam-role ARN), or ask for iam:PassRole on it",
    ),
    _row("RequestTimeTooSkewed", r"", CredentialsError, "set this machine's clock"),
    _row(
        "InvalidSignatureException",
        r"signature (expired|not yet current)",
        CredentialsError,
        "set this machine's clock",
    ),
    _row("RequestExpired", r"", CredentialsError, "set this machine's clock, or sign in again"),
    _row("NoSuchBucket", r"", NotFoundError, "NBBATCH_S3_ROOT names it; aws s3 ls lists yours"),
)

EXCEPTIONS: dict[type[BaseException], Kind] = {
    HTTPError: UnreachableError,
    ResponseParserError: ServiceError,
    BotoCoreError: InvalidRequestError,
    **{
        getattr(vendor, name): kind
        for kind, text in (
            (CredentialsError, codes.CREDENTIAL_EXCEPTIONS),
            (UnreachableError, codes.UNREACHABLE_EXCEPTIONS),
            (ConfigurationError, codes.CONFIGURATION_EXCEPTIONS),
            (InvalidRequestError, codes.INVALID_EXCEPTIONS),
            (ThrottledError, codes.THROTTLED_EXCEPTIONS),
        )
        for name in text.split()
        # Older releases of botocore lack the newest ones.
        if hasattr(vendor, name)
    },
}

HINTS: dict[Kind, str] = {
    CredentialsError: "sign in: aws sso login, or aws configure; %batch doctor shows who you are",
    AccessDeniedError: "ask whoever runs the account to allow it",
    NotFoundError: "check the name and the region",
    RegionError: "export AWS_DEFAULT_REGION=... (the bucket's region)",
    InvalidRequestError: "--dry-run shows the request as it would be sent",
    LimitError: "ask for less, or for a higher quota",
    ThrottledError: "wait a little and run it again",
    ConflictError: "wait a little and run it again",
    UnreachableError: "check the network, the proxy and AWS_ENDPOINT_URL, then run it again",
    StorageFullError: "make room, or take another bucket",
    ServiceError: "run it again; https://health.aws.amazon.com shows incidents",
    ConfigurationError: "check AWS_PROFILE, AWS_DEFAULT_REGION and ~/.aws/config",
}

_S3_NEEDS = (
    "on the bucket allow s3:ListBucket, and on its objects s3:GetObject, s3:PutObject, "
    "s3:DeleteObject and s3:AbortMultipartUpload"
)
_S3_CALL = re.compile(r"(Get|Put|Head|List|Delete)Objects?(V2)?|\w+MultipartUpload|UploadPart")


def code_of(error: BaseException) -> str:
    """Return AWS's code of an error, ``""`` where AWS did not answer."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an error, 0 where there was no answer."""
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def retried(error: BaseException) -> bool:
    """Tell whether it is the answer to another try of a call than the first."""
    return bool(_answer(error).get("ResponseMetadata", {}).get("RetryAttempts"))


def message_of(error: BaseException) -> str:
    """Return AWS's message, or the error's own where AWS did not answer."""
    return str(_answer(error).get("Error", {}).get("Message", "")) or str(error)


def kind_of(error: BaseException) -> tuple[Kind, str]:
    """Return the class that stands for `error`, and what to do next."""
    code, message = code_of(error), message_of(error)
    for row in MESSAGES:
        if row.code == code and row.pattern.search(message):
            return row.kind, row.hint or HINTS[row.kind]
    kind = CODES.get(code) or _by_type(error) or _by_status(status_of(error))
    called = getattr(error, "operation_name", "")
    if kind is AccessDeniedError and _S3_CALL.fullmatch(called):
        return kind, _S3_NEEDS
    return kind, HINTS[kind]


def translate(error: BaseException, what: str) -> NbbatchError:
    """Build nbbatch's error for AWS's; `what` says what failed and where."""
    kind, hint = kind_of(error)
    code = code_of(error) or type(error).__name__
    return kind(what, f"{code}: {message_of(error)}", hint)


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Let no error of AWS's out of the block, only nbbatch's."""
    try:
        yield
    except VENDOR as error:
        raise translate(error, what) from error


def definition_missing(error: BaseException) -> bool:
    """Tell whether a SubmitJob failed because its job definition does not exist."""
    cause = error.__cause__ or error
    return code_of(cause) == "ClientException" and bool(DEFINITION.search(message_of(cause)))


def _answer(error: BaseException) -> dict[str, Any]:
    return getattr(error, "response", None) or {} if isinstance(error, ClientError) else {}


def _by_type(error: BaseException) -> Kind | None:
    return next((EXCEPTIONS[base] for base in type(error).__mro__ if base in EXCEPTIONS), None)


def _by_status(status: int) -> type[BackendError]:
    known: dict[int, type[BackendError]] = {
        401: CredentialsError,
        403: AccessDeniedError,
        404: NotFoundError,
        408: UnreachableError,
        409: ConflictError,
        412: ConflictError,
        413: LimitError,
        429: ThrottledError,
        507: StorageFullError,
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in known:
        return ServiceError
    return known.get(status, InvalidRequestError)
