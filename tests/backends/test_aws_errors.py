"""No documented error of S3, Batch or CloudWatch Logs is without its counterpart."""

from __future__ import annotations

import inspect

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from nbbatch import errors
from nbbatch.backends.aws import codes
from nbbatch.backends.aws.errors import (
    CODES,
    EXCEPTIONS,
    HINTS,
    definition_missing,
    kind_of,
    translate,
    translated,
)

CALLS = {
    "s3": (
        "GetObject PutObject HeadObject ListObjectsV2 DeleteObjects CreateMultipartUpload "
        "UploadPart CompleteMultipartUpload AbortMultipartUpload HeadBucket CreateSession"
    ),
    "batch": (
        "RegisterJobDefinition SubmitJob DescribeJobs ListJobs TerminateJob CancelJob "
        "DescribeJobQueues DescribeComputeEnvironments GetJobQueueSnapshot"
    ),
    "logs": "GetLogEvents",
    "secretsmanager": "DescribeSecret GetSecretValue",
    "ssm": "GetParameter",
    "cloudformation": (
        "CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStacks "
        "DescribeStackEvents ListStackResources DeleteStack"
    ),
    "ec2": (
        "DescribeVpcs DescribeSubnets DescribeRouteTables DescribeSecurityGroups "
        "DescribeInstanceTypeOfferings"
    ),
    "sts": "AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithSAML GetCallerIdentity",
    "sso": "GetRoleCredentials",
    "iam": "GetRole SimulatePrincipalPolicy CreateServiceLinkedRole",
    "ecr": "BatchGetImage GetDownloadUrlForLayer",
}

#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, the list of error codes.
S3 = """
AccessControlListNotSupported AccessDenied AccessPointAlreadyOwnedByYou AccountProblem
AllAccessDisabled AmbiguousGrantByEmailAddress AuthorizationHeaderMalformed
AuthorizationQueryParametersError BadDigest BucketAlreadyExists BucketAlreadyOwnedByYou
BucketHasAccessPointsAttached BucketNotEmpty ClientTokenConflict ConnectionClosedByRequester
ConditionalRequestConflict CredentialsNotSupported CrossLocationLoggingProhibited
DeviceNotActiveError EndpointNotFound EntityTooSmall EntityTooLarge ExpiredToken
IllegalLocationConstraintException IllegalVersioningConfigurationException IncompleteBody
IncorrectEndpoint IncorrectNumberOfFilesInPostRequest InlineDataTooLarge InternalError
InvalidAccessKeyId InvalidAccessPoint InvalidAccessPointAliasError InvalidAddressingHeader
InvalidArgument InvalidBucketAclWithObjectOwnership InvalidBucketName
InvalidBucketOwnerAWSAccountID InvalidBucketState InvalidDigest InvalidEncryptionAlgorithmError
InvalidHostHeader InvalidHttpMethod InvalidLocationConstraint InvalidObjectState InvalidPart
InvalidPartOrder InvalidPayer InvalidPolicyDocument InvalidRange InvalidRegion InvalidRequest
InvalidSessionException InvalidSignature InvalidSecurity InvalidSOAPRequest InvalidStorageClass
InvalidTargetBucketForLogging InvalidToken InvalidURI KeyTooLongError KMS.DisabledException
KMS.InvalidKeyUsageException KMS.KMSInvalidStateException KMS.NotFoundException
MalformedACLError MalformedPOSTRequest MalformedXML MaxMessageLengthExceeded
MaxPostPreDataLengthExceededError MetadataTooLarge MethodNotAllowed MissingAttachment
MissingAuthenticationToken MissingContentLength MissingRequestBodyError MissingSecurityElement
MissingSecurityHeader NoLoggingStatusForKey NoSuchAsyncRequest NoSuchBucket NoSuchBucketPolicy
NoSuchCORSConfiguration NoSuchKey NoSuchLifecycleConfiguration NoSuchMultiRegionAccessPoint
NoSuchObjectLockConfiguration NoSuchWebsiteConfiguration NoSuchTagSet NoSuchUpload NoSuchVersion
NotDeviceOwnerError NotImplemented NotModified NoTransformationDefined NotSignedUp
ObjectLockConfigurationNotFoundError OwnershipControlsNotFoundError OperationAborted
PermanentRedirect PermanentRedirectControlError PreconditionFailed Redirect
RequestHeaderSectionTooLarge RequestIsNotMultiPartContent RequestTimeout RequestTimeTooSkewed
RequestTorrentOfBucketError ResponseInterrupted RestoreAlreadyInProgress
ServerSideEncryptionConfigurationNotFoundError ServiceUnavailable SignatureDoesNotMatch SlowDown
TagPolicyException TemporaryRedirect TokenCodeInvalidError TokenRefreshRequired
TooManyAccessPoints TooManyBuckets TooManyMultiRegionAccessPointregionsError
TooManyMultiRegionAccessPoints UnauthorizedAccessError UnexpectedContent UnexpectedIPError
UnsupportedArgument UnsupportedSignature UnresolvableGrantByEmailAddress UserKeyMustBeSpecified
NoSuchAccessPoint InvalidTag MalformedPolicy
"""

#: https://docs.aws.amazon.com/batch/latest/APIReference/CommonErrors.html, old and new.
COMMON = """
AccessDeniedException ExpiredTokenException IncompleteSignature InternalFailure InvalidAction
InvalidClientTokenId InvalidParameterCombination InvalidParameterValue InvalidQueryParameter
MalformedHttpRequestException MalformedQueryString MissingAction MissingAuthenticationToken
MissingParameter NotAuthorized OptInRequired RequestAbortedException
RequestEntityTooLargeException RequestExpired RequestTimeoutException ServiceUnavailable
ThrottlingException UnknownOperationException UnrecognizedClientException ValidationError
TooManyRequestsException
"""


def modelled():
    """Yield the code of each error that botocore's models name for the calls we make."""
    session = botocore.session.get_session()
    for service, operations in CALLS.items():
        model = session.get_service_model(service)
        for operation in operations.split():
            for shape in model.operation_model(operation).error_shapes:
                yield shape.metadata.get("error", {}).get("code") or shape.name


def vendor_classes():
    """Yield every exception that botocore defines."""
    for name, found in inspect.getmembers(botocore.exceptions, inspect.isclass):
        if issubclass(found, BotoCoreError) and found is not BotoCoreError:
            yield pytest.param(found, id=name)


def answered(code, message="said so", status=400, operation="SubmitJob"):
    error = {"Error": {"Code": code, "Message": message}}
    return ClientError({**error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


ALL_CODES = sorted({*modelled(), *S3.split(), *COMMON.split()})


@pytest.mark.parametrize("code", ALL_CODES)
def test_every_documented_code_is_in_the_table(code):
    """A code that is documented has a row of its own: no guess by its HTTP status."""
    assert code in CODES


@pytest.mark.parametrize("kind", list(vendor_classes()))
def test_every_exception_of_botocore_is_in_the_table(kind):
    """Each exception has a row, its own or that of a base below botocore's root."""
    bases = kind.__mro__[: kind.__mro__.index(BotoCoreError)]

    assert any(base in EXCEPTIONS for base in bases)


def test_no_code_is_in_two_rows():
    """The table says one thing about each code."""
    texts = [v for k, v in vars(codes).items() if k.isupper() and "EXCEPTIONS" not in k]
    listed = " ".join(texts).split()

    assert sorted(listed) == sorted(set(listed))


def test_every_kind_has_a_hint():
    """Whatever it is, the reader is told what to do next."""
    assert set(CODES.values()) | set(EXCEPTIONS.values()) <= set(HINTS)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredToken", errors.CredentialsError),
        ("ExpiredTokenException", errors.CredentialsError),
        ("RequestTimeTooSkewed", errors.CredentialsError),
        ("AccessDenied", errors.AccessDeniedError),
        ("NoSuchBucket", errors.NotFoundError),
        ("PermanentRedirect", errors.RegionError),
        ("EntityTooLarge", errors.LimitError),
        ("SlowDown", errors.ThrottledError),
        ("TooManyRequestsException", errors.ThrottledError),
        ("OperationAborted", errors.ConflictError),
        ("RequestTimeout", errors.UnreachableError),
        ("XMinioStorageFull", errors.StorageFullError),
        ("ServerException", errors.ServiceError),
        ("ClientException", errors.InvalidRequestError),
    ],
)
def test_code(code, kind):
    """Codes become the class that a caller would catch."""
    assert type(translate(answered(code), "it failed")) is kind


@pytest.mark.parametrize(
    ("message", "kind", "hint"),
    [
        (
            "JobQueue arn:aws:batch:eu-west-1:1:job-queue/q not found.",
            errors.NotFoundError,
            "--queue",
        ),
        ("Job queue q does not exist", errors.NotFoundError, "--queue"),
        (
            "JobDefinition name x does not exist or is not in ACTIVE status.",
            errors.NotFoundError,
            "again",
        ),
        ("Job definition x does not exist", errors.NotFoundError, "again"),
        ("arn:aws:iam::1:role/x is an invalid role", errors.NotFoundError, "--iam-role"),
        ("Role arn:aws:iam::1:role/x does not exist", errors.NotFoundError, "--iam-role"),
        ("User x is not authorized to perform: batch:SubmitJob", errors.AccessDeniedError, "ask"),
        ("Container Overrides length must be at most 8192", errors.LimitError, "quota"),
        ("Job queue q is not in ENABLED state", errors.ConflictError, "--queue"),
        ("Job abc not found", errors.NotFoundError, ""),
        ("Error executing request", errors.InvalidRequestError, "--dry-run"),
    ],
)
def test_batchs_one_code_is_told_apart_by_its_message(message, kind, hint):
    """ClientException says nothing by itself; its message does."""
    error = translate(answered("ClientException", message), "it failed")

    assert type(error) is kind
    assert hint in error.hint
    assert message in error.cause


def test_an_unknown_code_goes_by_its_status():
    """A code that nobody documented is sorted by its HTTP status."""
    expected = {
        401: errors.CredentialsError,
        403: errors.AccessDeniedError,
        404: errors.NotFoundError,
        409: errors.ConflictError,
        429: errors.ThrottledError,
        400: errors.InvalidRequestError,
        500: errors.ServiceError,
        503: errors.ServiceError,
    }
    found = {status: kind_of(answered("Brand.New", status=status))[0] for status in expected}

    assert found == expected


def test_three_parts_and_the_cause():
    """The error says what failed, AWS's own words, what to do next, and keeps the original."""
    original = answered("AccessDenied", "Access Denied", 403, "GetObject")
    with pytest.raises(errors.AccessDeniedError) as caught, translated("can't read s3://b/k"):
        raise original

    assert caught.value.what == "can't read s3://b/k"
    assert caught.value.cause == "AccessDenied: Access Denied"
    assert "s3:ListBucket" in caught.value.hint
    assert caught.value.__cause__ is original


def test_pass_role():
    """A role that may not be passed is named in the hint: it is often a wrong name."""
    said = "User: x is not authorized to perform: iam:PassRole on resource: y"

    assert "--iam-role" in translate(answered("AccessDeniedException", said, 403), "no").hint


def test_other_exceptions_pass():
    """What is not AWS's is not touched."""
    with pytest.raises(ZeroDivisionError), translated("it failed"):
        raise ZeroDivisionError


def test_definition_missing():
    """Only the missing definition is told apart, and through nbbatch's own error too."""
    gone = answered("ClientException", "JobDefinition name x does not exist")
    error = translate(gone, "it failed")
    error.__cause__ = gone

    assert definition_missing(gone)
    assert definition_missing(error)
    assert not definition_missing(answered("ClientException", "JobQueue q not found"))


def test_the_lists_are_those_of_the_models():
    """The calls named above exist: a misspelt one would check nothing."""
    session = botocore.session.get_session()
    for service, operations in CALLS.items():
        assert set(operations.split()) <= set(session.get_service_model(service).operation_names)
