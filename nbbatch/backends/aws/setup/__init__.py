"""What `nbbatch setup` makes in an account, and takes away again.

==============  =================================================================
`template.yaml` the CloudFormation template, as it is sent
`template`      what the template says about itself
`wish`          what somebody wants, as the template's parameters
`network`       the VPC and its subnets
`gpus`          which GPU instances the region has
`roles`         the service-linked roles of AWS's own services
`stack`         proposed, executed, followed, deleted
`progress`      CloudFormation's steps as lines, its failures as errors
`bucket`        how much is in it, and how it goes away
`cloud`         the door: an account as `nbbatch.setup` sees it
==============  =================================================================

`template`, `wish` and `progress` are pure; the others are loaded with boto3, late.
"""
