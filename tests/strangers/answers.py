"""HTTP answers as a whole: status, headers, envelope, errors; what is within is `shapes`' affair."""

import json
from xml.etree import ElementTree

from shapes import Checker, local_name

# The model writes it without the slash at the end, AWS's answers have it.
EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
CONTENT_TYPES = {
    "ec2": "text/xml;charset=UTF-8",
    "query": "text/xml",
    "json": "application/x-amz-json-1.1",
    "rest-json": "application/json",
}
# EC2's model has no errors. These codes are of the list in EC2's API reference; a code that is not here is either new
# there or made up.
EC2_CODES = set(
    """
    AuthFailure DryRunOperation IdempotentParameterMismatch IncompleteSignature IncorrectState InternalError
    InvalidAMIAttributeItemValue InvalidAMIID.Malformed InvalidAMIID.NotFound InvalidAMIID.Unavailable
    InvalidAMIName.Duplicate InvalidAMIName.Malformed InvalidAction InvalidFilter InvalidID
    InvalidInstanceID.Malformed InvalidInstanceID.NotFound InvalidLaunchTemplateId.Malformed
    InvalidLaunchTemplateId.NotFound InvalidLaunchTemplateId.VersionNotFound
    InvalidLaunchTemplateName.AlreadyExistsException InvalidLaunchTemplateName.MalformedException
    InvalidLaunchTemplateName.NotFoundException InvalidNextToken InvalidParameter InvalidParameterCombination
    InvalidParameterDependency InvalidParameterValue InvalidRequest InvalidSnapshot.InUse InvalidSnapshot.NotFound
    OperationNotPermitted ResourceLimitExceeded InstanceLimitExceeded MissingAuthenticationToken MissingParameter RequestLimitExceeded
    TagLimitExceeded UnknownParameter Unsupported
    """.split()
)
# What every operation of a service may answer, beyond its modelled errors.
COMMON_CODES = {
    "ec2": EC2_CODES,
    "query": {"InvalidAction", "MissingParameter", "ValidationError", "IncompleteSignature", "Throttling"},
    "json": {"ValidationException", "UnknownOperationException", "SerializationException", "AccessDeniedException"},
    # Most errors of S3 stand in its API reference only.
    "rest-xml": set(
        """
        AccessDenied AuthorizationHeaderMalformed BadDigest BucketNotEmpty IllegalLocationConstraintException IncompleteBody
        InvalidArgument InvalidBucketName InvalidEncryptionAlgorithmError InvalidLocationConstraint InvalidRange InvalidRequest
        KeyTooLongError MalformedTrailerError MalformedXML NoSuchBucket NoSuchKey NotImplemented PermanentRedirect PreconditionFailed
        """.split()
    ),
    "rest-json": {"UnknownOperationException", "SerializationException"},
}


def check(service, operation, status, headers, body):
    """What is wrong with an answer: pairs of where and what."""
    checker = Checker()
    protocol = service.metadata["protocol"]
    if protocol == "rest-xml":
        check_rest_xml(checker, service, operation, status, {name.lower(): value for name, value in headers.items()}, body)
        return checker.faults
    lower = {name.lower(): value for name, value in headers.items()}
    kind = lower.get("content-type", "")
    expected = CONTENT_TYPES[protocol]
    if kind != expected and not (protocol == "query" and kind.startswith(expected)):
        checker.fault("content-type", f"`{kind}` is not {expected}")
    if not lower.get("x-amzn-requestid"):
        checker.fault("headers", "there is no request id")
    try:
        if protocol in ("json", "rest-json"):
            check_json(checker, service, operation, status, lower, json.loads(body))
        else:
            check_xml(checker, service, operation, status, ElementTree.fromstring(body))
    except (ValueError, ElementTree.ParseError) as error:
        checker.fault("body", f"it cannot be read: {error}")
    return checker.faults


def check_rest_xml(checker, service, operation, status, headers, body):
    """S3: a document, the bytes of an object, or nothing."""
    if not headers.get("x-amz-request-id"):
        checker.fault("headers", "there is no request id")
    if operation.http["method"] == "HEAD":
        if body:
            checker.fault("body", "the answer to HEAD has one")
        return
    try:
        if status >= 300:
            error = ElementTree.fromstring(body)
            if error.tag != "Error" or error.find("Message") is None or not error.findtext("RequestId"):
                checker.fault("error", "it is no Error with Message and RequestId")
            check_code(checker, service, operation, status, error.findtext("Code", ""))
            return
        shape = operation.output_shape
        inner = {name for name, member in shape.members.items() if "location" not in member.serialization} if shape else set()
        if shape is not None and "payload" in shape.serialization:
            return
        if not inner:
            if body:
                checker.fault("body", "the model has none")
            return
        if headers.get("content-type") != "application/xml":
            checker.fault("content-type", f"`{headers.get('content-type')}` is not application/xml")
        root = ElementTree.fromstring(body)
        if not root.tag.startswith("{http://s3.amazonaws.com/doc/2006-03-01/}"):
            checker.fault("", f"the root element is {root.tag}")
        # The only answer that is one value, without elements.
        if operation.name != "GetBucketLocation":
            checker.xml(shape, root)
    except ElementTree.ParseError as error:
        checker.fault("body", f"it cannot be read: {error}")


def check_code(checker, service, operation, status, code):
    """The code of an error, and the status that goes with it."""
    modelled = {}
    for shape in operation.error_shapes:
        error = shape.metadata.get("error", {})
        modelled[error.get("code", shape.name)] = error.get("httpStatusCode")
    if code in modelled:
        if modelled[code] not in (None, status):
            checker.fault("status", f"{code} has the status {status}, in the model {modelled[code]}")
    elif code not in COMMON_CODES[service.metadata["protocol"]]:
        known = ", ".join(sorted(modelled))
        checker.fault(f"error {code}", f"it is neither one of the operation's ({known}) nor a common one")
    if not 400 <= status < 600:
        checker.fault("status", f"{code} has the status {status}")


def check_json(checker, service, operation, status, headers, value):
    if status == operation.http.get("responseCode", 200):
        shape = operation.output_shape
        if shape is None:
            if value != {}:
                checker.fault("", f"{value!r} where the model has no answer")
        else:
            checker.json(shape, value)
        return
    code = value.get("__type", "")
    if headers.get("x-amzn-errortype") != code:
        checker.fault("headers", f"x-amzn-errortype is {headers.get('x-amzn-errortype')}, __type is {code}")
    if not isinstance(value.get("message"), str):
        checker.fault("message", "it is missing")
    check_code(checker, service, operation, status, code)


def check_xml(checker, service, operation, status, root):
    if status != 200:
        check_xml_error(checker, service, operation, status, root)
        return
    wanted = EC2_NAMESPACE if service.metadata["protocol"] == "ec2" else service.metadata["xmlNamespace"]
    if root.tag != f"{{{wanted}}}{operation.name}Response":
        checker.fault("", f"the root element is {root.tag}, not {operation.name}Response of {wanted}")
    if service.metadata["protocol"] == "ec2":
        identifier = [child for child in root if local_name(child) == "requestId"]
        inner = root
        for child in identifier:
            inner.remove(child)
    else:
        metadata = [child for child in root if local_name(child) == "ResponseMetadata"]
        identifier = [child for part in metadata for child in part if local_name(child) == "RequestId"]
        if operation.output_shape is None:
            inner = ElementTree.Element("nothing")
            inner.extend(child for child in root if local_name(child) != "ResponseMetadata")
        else:
            wrapper = operation.output_shape.serialization.get("resultWrapper")
            inner = next((child for child in root if local_name(child) == wrapper), None)
    if len(identifier) != 1 or not identifier[0].text:
        checker.fault("", "the body has no request id")
    if inner is None:
        checker.fault("", "the result has no wrapper")
    elif operation.output_shape is not None:
        checker.xml(operation.output_shape, inner)
    elif len(inner) > 1 or any(local_name(child) != "return" for child in inner):
        # Operations of EC2 without an answer say `<return>true</return>`.
        checker.fault("", f"elements where the model of {operation.name} has no answer")


def check_xml_error(checker, service, operation, status, root):
    ec2 = service.metadata["protocol"] == "ec2"
    path = ("Response", "Errors/Error", "RequestID") if ec2 else ("ErrorResponse", "Error", "RequestId")
    plain = ElementTree.fromstring(strip_namespaces(root))
    if plain.tag != path[0]:
        checker.fault("", f"the root element of the error is {plain.tag}, not {path[0]}")
    error = plain.find(path[1])
    if error is None or error.find("Message") is None:
        checker.fault("error", "it has no code or no message")
        return
    if not plain.findtext(path[2]):
        checker.fault("error", "it has no request id")
    if not ec2 and error.findtext("Type") not in ("Sender", "Receiver"):
        checker.fault("error", "it does not say whose fault it is")
    check_code(checker, service, operation, status, error.findtext("Code", ""))


def strip_namespaces(root):
    """The same document without namespaces."""
    for element in root.iter():
        element.tag = local_name(element)
    return ElementTree.tostring(root)
