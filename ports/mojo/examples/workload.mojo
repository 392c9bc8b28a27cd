"""The digits as something that a trainer of tenuto drives: what it calls for a
batch, and what a checkpoint holds of the network.
"""
from network import (
    DIGITS,
    Digits,
    HIDDEN,
    Measured,
    Network,
    PARAMETERS,
    PIXELS,
    parameter_name,
    parameter_shape,
    parameter_size,
)
from tenuto import (
    Comparison,
    Document,
    Generator,
    MetricBook,
    Purpose,
    TenutoError,
    Value,
    Workload,
    describe,
    epoch_order,
    float_tensor,
    read_file,
    stream,
    tensor_floats,
    tensor_words,
)

comptime BATCH_SIZE = 32
comptime RATE = 0.05
comptime SEED = 1


def read_digits(doc: Document, part: String) raises TenutoError -> Digits:
    """One of the two sets of a file that `export_digits.py` has written."""
    ref model = doc.root.get("model_state")
    ref images = doc.tensors[Int(model.get(part + ".images").bits)]
    ref digits = doc.tensors[Int(model.get(part + ".digits").bits)]
    var labels = List[Int]()
    for word in tensor_words(digits):
        labels.append(Int(word))
    return Digits(tensor_floats(images), labels^)


struct DigitsWorkload(Workload):
    """A network, its data, and the chances that it takes."""

    var network: Network
    var chance: Generator  # of the dropout
    var training: Digits
    var validation: Digits
    var _order: List[Int]
    var _next: Int  # batch of the epoch
    var _measured: Measured

    def __init__(out self, path: String) raises TenutoError:
        var file = read_file(path).take()
        self.training = read_digits(file, "training")
        self.validation = read_digits(file, "validation")
        var first = stream(SEED, Purpose.WEIGHTS)
        self.network = Network(first)
        self.chance = stream(SEED, Purpose.DROPOUT)
        self._order = []
        self._next = 0
        self._measured = Measured(0.0, 0)

    # -- training ------------------------------------------------------------

    def open_epoch(mut self, epoch: Int, skip: Int) raises TenutoError:
        """The order depends on nothing but the number of the epoch, so that a
        resume finds its place in it.
        """
        self._order = epoch_order(SEED, epoch, len(self.training.labels))
        self._next = skip

    def next_batch(mut self) raises TenutoError -> Bool:
        self._next += 1
        return (self._next - 1) * BATCH_SIZE < len(self._order)

    def train(mut self) raises TenutoError -> Value:
        var start = (self._next - 1) * BATCH_SIZE
        var batch = List[Int]()
        for k in range(start, min(start + BATCH_SIZE, len(self._order))):
            batch.append(self._order[k])
        var sum = self.network.train_on(
            self.training, batch, self.chance, RATE
        )
        return _means(sum, len(batch))

    def completed_window(self) -> Bool:
        return True

    def validation_batches(self) -> Int:
        return 1

    def validate(mut self, batch: Int) raises TenutoError:
        self._measured = Measured(0.0, 0)
        for i in range(len(self.validation.labels)):
            var one = self.network.measure(self.validation, i)
            self._measured.loss += one.loss
            self._measured.right += one.right

    def validated(self) raises TenutoError -> Value:
        return _means(self._measured, len(self.validation.labels))

    def end_epoch(
        mut self, metrics: MetricBook, step: Int, is_validated: Bool
    ) raises TenutoError:
        pass  # no scheduler

    # -- what a checkpoint holds ---------------------------------------------

    def config(self) -> Value:
        var m = Value.map()
        m.put("seed", Value.int(SEED))
        m.put("batch_size", Value.int(BATCH_SIZE))
        m.put("lr", Value.float(RATE))
        return m^

    def architecture(self) raises TenutoError -> Value:
        var modules = Value.map()
        modules.put("", Value.text("Sequential"))
        modules.put("0", Value.text("Linear"))
        modules.put("1", Value.text("ReLU"))
        modules.put("2", Value.text("Dropout"))
        modules.put("3", Value.text("Linear"))
        var trainable = Value.map()
        var shapes = Value.map()
        var count = 0
        for p in range(PARAMETERS):
            var form = Value.array()
            form.push(Value.text("float64"))
            for n in parameter_shape(p):
                form.push(Value.uint(n))
            shapes.put(parameter_name(p), form^)
            trainable.put(parameter_name(p), Value.bool(True))
            count += parameter_size(p)
        return describe(modules^, trainable^, shapes^, count)

    def capture(self, mut doc: Document) raises TenutoError -> Value:
        var model = Value.map()
        var states = Value.array()
        for p in range(PARAMETERS):
            var weights = float_tensor(
                self.network.weights[p], parameter_shape(p)
            )
            model.put(parameter_name(p), doc.add(weights^))
            var velocities = float_tensor(
                self.network.velocities[p], parameter_shape(p)
            )
            var parts = Value.map()
            parts.put("momentum_buffer", doc.add(velocities^))
            var pair = Value.array()
            pair.push(Value.int(Int64(p)))
            pair.push(parts^)
            states.push(pair^)
        var optimizer = Value.map()
        optimizer.put("state", states^)
        var named = Value.map()
        named.put("optimizer", optimizer^)
        var chances = Value.map()
        chances.put("dropout", Value.uint(self.chance.state))
        doc.root.put("model_state", model^)
        doc.root.put("optimizer_state", named^)
        doc.root.put("rng_state", chances^)
        return Value()

    def mismatches(
        self, state: Document, batch_in_epoch: Int
    ) raises TenutoError -> List[String]:
        """Everything that is not as in the live network; nothing is changed.
        """
        var found = Comparison()
        var live = Document()
        _ = self.capture(live)
        for part in ["model_state", "optimizer_state", "rng_state"]:
            found.form(
                part, live, live.root.get(part), state, state.root.get(part)
            )
        var config = self.config()
        ref saved = state.root.get("metadata").get("config")
        for i in range(0, len(config.items), 2):
            var name = config.items[i].as_text()
            var at = saved.find(name)
            if at < 0 or not saved.items[at].is_same(config.items[i + 1]):
                found.note(String("metadata.config.", name))
        return found^.take()

    def restore(mut self, state: Document) raises TenutoError:
        ref root = state.root
        ref model = root.get("model_state")
        ref states = root.get("optimizer_state").get("optimizer").get("state")
        for p in range(PARAMETERS):
            ref weights = model.get(parameter_name(p))
            self.network.weights[p] = tensor_floats(
                state.tensors[Int(weights.bits)]
            )
            ref velocities = states.items[p].items[1].get("momentum_buffer")
            self.network.velocities[p] = tensor_floats(
                state.tensors[Int(velocities.bits)]
            )
        self.chance.state = root.get("rng_state").get("dropout").bits


def _means(sum: Measured, count: Int) -> Value:
    var m = Value.map()
    m.put("loss", Value.float(sum.loss / Float64(count)))
    m.put("accuracy", Value.float(Float64(sum.right) / Float64(count)))
    return m^
