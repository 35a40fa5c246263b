"""Start moto, an emulator that has nothing in common with the other one: a second opinion on what the CLI calls.

    python second_opinion.py PORT      (SIGTERM stops it)

Moto's CloudFormation makes the kinds of resources that it knows. The others are made here, each by the call that makes
it without CloudFormation, so that boto3 says whether the template's properties are those of the service.
"""
import json
import os
import sys
import threading

import boto3
from moto.awslambda.models import LambdaFunction
from moto.cloudformation.models import Event
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.server import main

if len(sys.argv) != 2:
    sys.exit(__doc__)
port = sys.argv[1]
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")


def client(service):
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}")


def alarm(AlarmName, **properties):
    client("cloudwatch").put_metric_alarm(AlarmName=AlarmName, **properties)
    return AlarmName


def topic_policy(Topics, PolicyDocument):
    for topic in Topics:
        policy = json.dumps(PolicyDocument)
        client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


# Moto would refuse all that a policy refuses without encryption.
def bucket_policy(Bucket, PolicyDocument):
    client("s3").head_bucket(Bucket=Bucket)


def database(**properties):
    client("glue").create_database(**properties)
    return properties["DatabaseInput"]["Name"]


def table(**properties):
    client("glue").create_table(**properties)
    return properties["TableInput"]["Name"]


# What only a stack has is left out.
def workgroup(Name, WorkGroupConfiguration, Description, Tags, RecursiveDeleteOption):
    client("athena").create_work_group(
        Name=Name, Configuration=WorkGroupConfiguration, Description=Description, Tags=Tags
    )
    return Name


# A database takes its tables with it.
KINDS = {
    "AWS::CloudWatch::Alarm": (alarm, lambda name: client("cloudwatch").delete_alarms(AlarmNames=[name])),
    "AWS::SNS::TopicPolicy": (topic_policy, None),
    "AWS::S3::BucketPolicy": (bucket_policy, None),
    "AWS::Glue::Database": (database, lambda name: client("glue").delete_database(Name=name)),
    "AWS::Glue::Table": (table, None),
    "AWS::Athena::WorkGroup": (workgroup, lambda name: client("athena").delete_work_group(WorkGroup=name)),
}


def model(kind, make, remove):
    class Model(CloudFormationModel):
        # Moto finds a model's service in the name of its module.
        __module__ = f"moto.{kind.split('::')[1].lower()}.models"

        def __init__(self, name):
            self.physical_resource_id = name

        @staticmethod
        def cloudformation_type():
            return kind

        @staticmethod
        def cloudformation_name_type():
            return ""

        @classmethod
        def has_cfn_attr(cls, attr):
            return attr == "Arn"

        def get_cfn_attribute(self, attr):
            return f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{self.physical_resource_id}"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            return cls(make(**cloudformation_json["Properties"]) or resource_name)

        @classmethod
        def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name):
            if remove:
                remove(resource_name)

        def is_created(self):
            return True

    return Model


# Moto finds models among the classes that there are.
models = [model(kind, *calls) for kind, calls in KINDS.items()]

# AWS tells the token of an operation with each of its events.
current = threading.local()


def with_token(call):
    def called(self):
        current.token = self._get_param("ClientRequestToken")
        return call(self)

    return called


for operation in ("create_change_set", "execute_change_set", "delete_stack"):
    setattr(CloudFormationResponse, operation, with_token(getattr(CloudFormationResponse, operation)))


# Moto takes the first part of a host's name for a bucket's, but for this one.
template_at = CloudFormationResponse._get_stack_from_s3_url
CloudFormationResponse._get_stack_from_s3_url = lambda self, url: template_at(self, url.replace("127.0.0.1", "localhost"))


def after(kind, also):
    made = kind.__init__

    def init(self, *args, **kwargs):
        made(self, *args, **kwargs)
        also(self)

    kind.__init__ = init


def texts(function):
    # A parameter of type Number is a text where it is used.
    function.environment_vars = {name: str(value) for name, value in function.environment_vars.items()}


after(Event, lambda event: setattr(event, "client_request_token", getattr(current, "token", None)))
after(LambdaFunction, texts)

main(["-H", "127.0.0.1", "-p", port])
