"""An ordinary Flower app, as Flower's own template writes one: nothing in it knows of Treaty."""

from blobs.blob_model import Net, load_data
from blobs.blob_model import test as test_fn
from blobs.blob_model import train as train_fn
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    model = Net()
    model.load_state_dict(msg.content["arrays"].to_torch_state_dict())
    part, of = context.node_config["partition-id"], context.node_config["num-partitions"]
    data, _ = load_data(part, of)
    loss = train_fn(model, data, context.run_config["local-epochs"], msg.content["config"]["lr"])
    content = RecordDict(
        {"arrays": ArrayRecord(model.state_dict()), "metrics": MetricRecord({"train_loss": loss, "num-examples": len(data[0])})}
    )
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    model = Net()
    model.load_state_dict(msg.content["arrays"].to_torch_state_dict())
    _, data = load_data(context.node_config["partition-id"], context.node_config["num-partitions"])
    loss, acc = test_fn(model, data)
    metrics = MetricRecord({"eval_loss": loss, "eval_acc": acc, "num-examples": len(data[0])})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=msg)
