"""AWS's error codes and botocore's exceptions, sorted by what they mean to a person."""

from __future__ import annotations

CREDENTIALS = """
    AuthFailure AuthorizationQueryParametersError CredentialsNotSupported ExpiredToken
    ExpiredTokenException IDPRejectedClaim IDPRejectedClaimException IncompleteSignature
    IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId InvalidGrantException
    InvalidIdentityToken InvalidIdentityTokenException InvalidSecurity InvalidSessionException
    InvalidSignature InvalidSignatureException InvalidToken MissingAuthenticationToken
    MissingAuthenticationTokenException MissingSecurityElement MissingSecurityHeader
    NotDeviceOwnerError RequestExpired RequestTimeTooSkewed SignatureDoesNotMatch
    TokenCodeInvalidError TokenRefreshRequired UnauthorizedException UnrecognizedClientException
    UnsupportedSignature 401
"""

ACCESS = """
    AccessDenied AccessDeniedException AccountProblem AllAccessDisabled
    CrossLocationLoggingProhibited DecryptionFailure Forbidden InvalidKeyId InvalidPayer
    InvalidRegion NotAuthorized NotSignedUp OptInRequired RegionDisabledException
    UnauthorizedAccess UnauthorizedAccessError UnauthorizedOperation UnexpectedIPError 403
    LayerInaccessibleException
"""

NOT_FOUND = """
    KMS.NotFoundException NoSuchAccessPoint NoSuchAnnotation NoSuchAsyncRequest NoSuchBucket
    NoSuchBucketPolicy NoSuchCORSConfiguration NoSuchKey NoSuchLifecycleConfiguration
    NoSuchMultiRegionAccessPoint NoSuchObjectLockConfiguration NoSuchTagSet NoSuchUpload
    NoSuchVersion NoSuchWebsiteConfiguration NoTransformationDefined NotFound
    ObjectLockConfigurationNotFoundError OwnershipControlsNotFoundError ParameterNotFound
    ParameterVersionNotFound ResourceNotFound ResourceNotFoundException
    ServerSideEncryptionConfigurationNotFoundError 404
    ImageNotFoundException LayersNotFoundException NoSuchEntity
    NoSuchPublicAccessBlockConfiguration RepositoryNotFoundException
    ChangeSetNotFound InvalidGroup.NotFound InvalidSubnetID.NotFound InvalidVpcID.NotFound
"""

REGION = """
    AuthorizationHeaderMalformed EndpointNotFound IllegalLocationConstraintException
    IncorrectEndpoint PermanentRedirect PermanentRedirectControlError Redirect TemporaryRedirect
    301 302 307
"""

INVALID = """
    AccessControlListNotSupported AmbiguousGrantByEmailAddress BadDigest ClientException
    DeviceNotActiveError EncryptionTypeMismatch EntityTooSmall
    IllegalVersioningConfigurationException IncorrectNumberOfFilesInPostRequest
    InvalidAccessPoint InvalidAccessPointAliasError InvalidAction InvalidAddressingHeader
    InvalidAnnotationName InvalidArgument InvalidBucketAclWithObjectOwnership InvalidBucketName
    InvalidBucketOwnerAWSAccountID InvalidDigest InvalidEncryptionAlgorithmError
    InvalidHostHeader InvalidHttpMethod InvalidLocationConstraint InvalidParameterCombination
    InvalidParameterException InvalidParameterValue InvalidPart InvalidPartOrder
    InvalidPolicyDocument InvalidPrefix InvalidQueryParameter InvalidRange InvalidRequest
    InvalidRequestException InvalidSOAPRequest InvalidStorageClass InvalidTag
    InvalidTargetBucketForLogging InvalidURI InvalidWriteOffset KMS.InvalidKeyUsageException
    MalformedACLError MalformedHttpRequestException MalformedPOSTRequest MalformedPolicy
    MalformedPolicyDocument MalformedPolicyDocumentException MalformedQueryString MalformedXML
    MethodNotAllowed MissingAction MissingAttachment MissingContentLength MissingParameter
    MissingRequestBodyError NoLoggingStatusForKey NotImplemented RequestIsNotMultiPartContent
    RequestTorrentOfBucketError TagPolicyException UnexpectedContent UnknownOperationException
    UnresolvableGrantByEmailAddress UnsupportedArgument UnsupportedMediaType
    UserKeyMustBeSpecified ValidationError ValidationException 400 405 411 416 501
    InvalidInput PolicyEvaluation
    InsufficientCapabilitiesException InvalidGroupId.Malformed
    InvalidSubnetID.Malformed InvalidVpcID.Malformed
"""

LIMIT = """
    AnnotationLimitExceeded AnnotationNameTooLong EntityTooLarge InlineDataTooLarge
    KeyTooLongError LimitExceededException MaxMessageLengthExceeded
    MaxPostPreDataLengthExceededError MetadataTooLarge PackedPolicyTooLarge
    PackedPolicyTooLargeException RequestEntityTooLargeException RequestHeaderSectionTooLarge
    ServiceQuotaExceededException TooManyAccessPoints TooManyBuckets
    TooManyMultiRegionAccessPointregionsError TooManyMultiRegionAccessPoints TooManyParts 413
    LimitExceeded
"""

THROTTLED = """
    BandwidthLimitExceeded Busy EC2ThrottledException PriorRequestNotComplete
    ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
    RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException
    TooManyRequestsException TransactionInProgressException 429
"""

CONFLICT = """
    AccessPointAlreadyOwnedByYou BucketAlreadyExists BucketAlreadyOwnedByYou
    BucketHasAccessPointsAttached BucketNotEmpty ClientTokenConflict ConditionalRequestConflict
    IdempotencyParameterMismatch InvalidBucketState InvalidObjectState KMS.DisabledException
    KMS.KMSInvalidStateException NotModified ObjectAlreadyInActiveTierError
    ObjectNotInActiveTierError OperationAborted PreconditionFailed RestoreAlreadyInProgress
    304 409 412
    AlreadyExistsException InvalidChangeSetStatus TokenAlreadyExistsException
"""

UNREACHABLE = """
    ConnectionClosedByRequester IncompleteBody RequestAbortedException RequestTimeout
    RequestTimeoutException ResponseInterrupted 408
"""

#: Not AWS's own: servers of the S3 protocol that run on disks of a fixed size.
FULL = "QuotaExceeded XMinioStorageFull 507"

SERVICE = """
    IDPCommunicationError IDPCommunicationErrorException InternalError InternalFailure
    InternalServerError InternalServerException InternalServiceError ServerException
    ServiceException ServiceFailure ServiceUnavailable ServiceUnavailableException 500 502 503 504
    UnableToGetUpstreamImageException UnableToGetUpstreamLayerException
"""

CREDENTIAL_EXCEPTIONS = """
    CredentialRetrievalError LoginError MetadataRetrievalError NoAuthTokenError
    NoCredentialsError PartialCredentialsError RefreshWithMFAUnsupportedError SSOError
    TokenRetrievalError UnknownCredentialError UnknownTokenProviderError
"""

UNREACHABLE_EXCEPTIONS = """
    AwsChunkedWrapperError ChecksumError ConnectionError FlexibleChecksumError HTTPClientError
    IncompleteReadError
"""

CONFIGURATION_EXCEPTIONS = """
    ApiVersionNotFoundError BaseEndpointResolverError ConfigNotFound ConfigParseError
    DataNotFoundError EndpointProviderError InvalidChecksumConfigError InvalidConfigError
    InvalidDefaultsMode InvalidEndpointConfigurationError
    InvalidEndpointDiscoveryConfigurationError InvalidIMDSEndpointError
    InvalidIMDSEndpointModeError InvalidProxiesConfigError InvalidRegionError
    InvalidRetryConfigurationError InvalidS3AddressingStyleError
    InvalidS3UsEast1RegionalEndpointConfigError InvalidSTSRegionalEndpointsConfigError
    MD5UnavailableError MissingDependencyException ProfileNotFound ServiceNotInRegionError
    UnknownRegionError UnknownServiceStyle UnknownSignatureVersionError
    UnsupportedS3AccesspointConfigurationError UnsupportedS3ConfigurationError
    UnsupportedS3ControlConfigurationError UnsupportedServiceProtocolsError
    UnsupportedSignatureVersionError
"""

INVALID_EXCEPTIONS = """
    InvalidDNSNameError InvalidExpressionError InvalidHostLabelError MissingParametersError
    OperationNotPageableError PaginationError ParamValidationError StubResponseError
    UnknownClientMethodError UnseekableStreamError UnsupportedOutpostResourceError
    UnsupportedS3ArnError UnsupportedS3ControlArnError ValidationError WaiterConfigError
    WaiterError
"""

THROTTLED_EXCEPTIONS = "CapacityNotAvailableError"
