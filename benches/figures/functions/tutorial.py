"""What the functions of a tutorial do, for comparison with stockpipe's: one quote at a time, with boto3.

    python tutorial.py process      from the stream to a table and a bucket: per record one PutItem and one PutObject
    python tutorial.py trend        from the table's changes to alerts: per change one query of the 20 items before it,
                                    from which and its own price the averages of 5 and 20, now and one quote ago, say
                                    whether they crossed; a crossing is published

They speak to the same runtime API as stockpipe's, by a loop as plain as can be.

The choices favour these functions: clients are made once and keep their connections, nothing is logged, numbers are
binary floats but where boto3 refuses them, nothing is looked at that could be wrong, a second delivery is not noticed,
and a crossing is recorded nowhere.
"""

import base64
import http.client
import json
import os
import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def process(event):
    """Stores each quote with its change against the previous close, and as it came."""
    for record in event["Records"]:
        quote = json.loads(base64.b64decode(record["kinesis"]["data"]))
        change = round((quote["price"] - quote["previous_close"]) / quote["previous_close"] * 100, 4)
        TABLE.put_item(
            Item={
                "symbol": quote["symbol"],
                "timestamp": quote["timestamp"],
                "open": Decimal(str(quote["open"])),
                "high": Decimal(str(quote["high"])),
                "low": Decimal(str(quote["low"])),
                "price": Decimal(str(quote["price"])),
                "previous_close": Decimal(str(quote["previous_close"])),
                "change_percent": Decimal(str(change)),
                "volume": Decimal(str(quote["volume"])),
                "anomaly": "Yes" if abs(change) > 5 else "No",
            }
        )
        S3.put_object(
            Bucket=os.environ["BUCKET"],
            Key=f"raw-data/{quote['symbol']}/{quote['timestamp'].replace(':', '-')}.json",
            Body=json.dumps(quote),
            ContentType="application/json",
        )


def trend(event):
    """Publishes where the averages crossed with a quote."""
    for record in event["Records"]:
        if record["eventName"] != "INSERT":
            continue
        new = record["dynamodb"]["NewImage"]
        symbol, timestamp = new["symbol"]["S"], new["timestamp"]["S"]
        before = TABLE.query(
            KeyConditionExpression=Key("symbol").eq(symbol) & Key("timestamp").lt(timestamp),
            ScanIndexForward=False,
            Limit=20,
        )["Items"]
        prices = [float(new["price"]["N"])] + [float(item["price"]) for item in before]
        if len(prices) < 21:
            continue
        now = sum(prices[:5]) / 5 - sum(prices[:20]) / 20
        then = sum(prices[1:6]) / 5 - sum(prices[1:]) / 20
        if then <= 0 < now or then >= 0 > now:
            signal = "BUY" if now > 0 else "SELL"
            SNS.publish(
                TopicArn=os.environ["TOPIC"],
                Subject=f"{symbol} {signal}",
                Message=f"{signal}: {symbol} at {prices[0]}, {timestamp}",
            )


def serve(handler):
    """Takes an event after the other from the runtime API, and answers it."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        response = api.getresponse()
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(response.read())
        try:
            handler(event)
            path, answer = f"{request_id}/response", {"batchItemFailures": []}
        except Exception as error:
            path, answer = f"{request_id}/error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        api.request("POST", f"/2018-06-01/runtime/invocation/{path}", json.dumps(answer))
        api.getresponse().read()


if sys.argv[1] == "process":
    S3 = boto3.client("s3")
    serve(process)
else:
    SNS = boto3.client("sns")
    serve(trend)
