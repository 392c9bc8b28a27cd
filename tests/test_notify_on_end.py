"""Notifications that real commands, HTTP servers and mail servers receive, and what their failures change: nothing."""

import json
import os
import signal
import socket
import sys
import threading
from email import message_from_bytes, policy

import pytest
from recorder import Recorder, refusal, saving, small
from servers import http_server, mail_server

import tenuto

WRITE = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"


def command(path):
    return [sys.executable, "-c", WRITE, str(path)]


def told(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def interrupt(_):
    os.kill(os.getpid(), signal.SIGTERM)


def fail(_):
    raise ZeroDivisionError("of all things")


# -- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-READY-009")
def test_a_normal_end_is_told_by_all_ways_once_after_the_final_save(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TENUTO_SMTP_PASSWORD", "open sesame")
    with http_server() as (server, url), mail_server() as (mails, mail):
        notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"), webhook=url, mail=mail)
        trainer = small(notify, saving(tmp_path, save_frequency=None, save_best=False))
        trainer.fit()

    (facts,) = told(tmp_path / "told")
    assert (facts["outcome"], facts["epoch"], facts["global_step"], facts["error"]) == ("completed", 2, 4, None)
    assert facts["checkpoint"] == str(tmp_path / "checkpoint_epoch_0002.ckpt")
    assert (facts["run_id"], facts["attempt"]) == (trainer.run.run_id, 1)
    assert facts["metrics"] == trainer.metrics.current()
    assert server.received == [("/hooks/secret-token", "application/json", facts)]
    (sent,) = mails.mails
    message = message_from_bytes(sent, policy=policy.default)
    assert (message["To"], message["From"]) == ("me@example.org", "gpu@example.org")
    assert message["Subject"] == f"Training completed on {socket.gethostname()}: epoch 2, step 4"
    assert message.get_content().splitlines() == facts["text"].splitlines()
    assert any(line.startswith("AUTH PLAIN") for line in mails.lines)
    assert caplog.records == []


@pytest.mark.req("CB-READY-009")
@pytest.mark.parametrize(
    ("act", "raised", "outcome", "error"),
    [
        (fail, ZeroDivisionError, "failed", "ZeroDivisionError: of all things"),
        (interrupt, tenuto.TrainingInterrupted, "interrupted", "TrainingInterrupted: "),
    ],
)
def test_an_error_and_a_signal_are_told_with_the_emergency_file(tmp_path, act, raised, outcome, error):
    notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"))
    with pytest.raises(raised):
        small(notify, Recorder(on_batch_end=act), saving(tmp_path)).fit()
    (facts,) = told(tmp_path / "told")
    assert facts["outcome"] == outcome
    assert facts["error"].startswith(error)
    assert facts["checkpoint"] == str(tmp_path / "emergency_epoch_0000_step_00000001.ckpt")


@pytest.mark.req("CB-READY-009")
def test_a_final_save_that_fails_is_no_completion(tmp_path):
    folder = tmp_path / "run"

    def spoil(_):
        folder.rename(tmp_path / "away")
        folder.write_text("no folder")

    notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"))
    saver = saving(folder, save_frequency=None, save_best=False)
    with pytest.raises(tenuto.CheckpointError):
        small(notify, saver, Recorder(on_train_end=spoil)).fit()
    assert [facts["outcome"] for facts in told(tmp_path / "told")] == ["failed"]


@pytest.mark.req("CB-READY-009")
def test_a_stop_is_a_completion_and_each_attempt_is_told_on_its_own(tmp_path):
    notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"))
    trainer = small(notify, Recorder(on_train_start=fail), saving(tmp_path))
    with pytest.raises(ZeroDivisionError):
        trainer.fit()
    stop = Recorder(on_batch_end=lambda context: context.request_stop("enough"))
    small(notify, stop, saving(tmp_path)).fit()
    assert [facts["outcome"] for facts in told(tmp_path / "told")] == ["failed", "completed"]
    assert told(tmp_path / "told")[1]["error"] is None


@pytest.mark.req("CB-READY-009")
def test_only_the_outcomes_that_were_asked_for_are_told(tmp_path):
    notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"), outcomes=["failed"])
    small(notify).fit()
    with pytest.raises(ZeroDivisionError):
        small(notify, Recorder(on_batch_end=fail)).fit()
    assert [facts["outcome"] for facts in told(tmp_path / "told")] == ["failed"]


@pytest.mark.req("CB-READY-009")
def test_values_that_json_does_not_have_are_told_as_text(tmp_path):
    notify = tenuto.NotifyOnEnd(command=command(tmp_path / "told"))
    small(notify, script={"loss": [float("nan"), float("-inf")]}).fit()
    assert told(tmp_path / "told")[0]["metrics"]["val_loss"] == "-inf"


# -- what goes wrong --------------------------------------------------------------------------------------------------


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.req("CB-READY-010")
def test_each_way_that_fails_is_logged_without_secrets_and_the_last_one_is_still_tried(monkeypatch, caplog):
    monkeypatch.setenv("TENUTO_SMTP_PASSWORD", "open sesame")
    with mail_server(refuses=True) as (mails, mail), http_server(500) as (server, url):
        notify = tenuto.NotifyOnEnd(command=["false", "--token=hidden"], webhook=url, mail=mail)
        with pytest.raises(ZeroDivisionError) as caught:
            small(notify, Recorder(on_batch_end=fail)).fit()
    assert getattr(caught.value, "__notes__", []) == []
    assert len(server.received) == 1
    assert mails.mails == []
    failed = [record.getMessage() for record in caplog.records if record.getMessage().startswith("NotifyOnEnd")]
    assert [line.partition(":")[2].split(":")[0].strip() for line in failed] == [
        "command false",
        "webhook 127.0.0.1",
        "mail to me@example.org",
    ]
    for secret in ("hidden", "secret-token", "open sesame"):
        assert secret not in caplog.text


@pytest.mark.req("CB-READY-010")
def test_what_is_not_there_is_logged_and_the_outcome_stays(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("TENUTO_SMTP_PASSWORD", raising=False)
    with mail_server() as (_, mail):
        notify = tenuto.NotifyOnEnd(
            command=[str(tmp_path / "nothing")], webhook=f"http://127.0.0.1:{closed_port()}/secret-token", mail=mail
        )
        assert small(notify).fit().progress.epoch == 2
    assert [part in caplog.text for part in ("FileNotFoundError", "refused", "TENUTO_SMTP_PASSWORD: not in")] == [
        True
    ] * 3
    assert "secret-token" not in caplog.text


@pytest.mark.req("CB-READY-010")
def test_a_command_and_a_server_that_do_not_answer_are_left_behind(tmp_path, caplog):
    sleep = ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600"]
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/secret-token"
        assert small(tenuto.NotifyOnEnd(command=sleep, webhook=url, timeout_seconds=2)).fit().progress.epoch == 2
    assert caplog.text.count("NotifyOnEnd: ") == 2
    assert "not ended after 2 s" in caplog.text
    assert "timed out" in caplog.text
    assert "secret-token" not in caplog.text
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


class Endless:
    """A way that never ends, as the look-up of a host may."""

    label = "endless"

    def __init__(self):
        self.end = threading.Event()

    def tell(self, news, timeout_seconds):
        self.end.wait()


class Noting:
    label = "noting"

    def __init__(self):
        self.news = []

    def tell(self, news, timeout_seconds):
        self.news.append(news)


@pytest.mark.req("CB-READY-010")
def test_a_way_that_heeds_no_time_limit_is_left_behind_and_the_next_is_tried(caplog):
    notify, endless, noting = tenuto.NotifyOnEnd(command=["true"], timeout_seconds=0.1), Endless(), Noting()
    notify._ways[:] = [endless, noting]
    small(notify).fit()
    endless.end.set()
    assert "NotifyOnEnd: endless: TimeoutError" in caplog.text
    assert len(noting.news) == 1


@pytest.mark.req("CB-READY-013")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"command": []},
        {"command": "notify-send done"},
        {"command": ["", "x"]},
        {"webhook": ""},
        {"webhook": "file:///etc/passwd"},
        {"webhook": "http:///path"},
        {"webhook": "https://host/with space"},
        {"webhook": 7},
        {"command": ["true"], "outcomes": []},
        {"command": ["true"], "outcomes": "failed"},
        {"command": ["true"], "outcomes": ["finished"]},
        {"command": ["true"], "timeout_seconds": 0},
        {"command": ["true"], "timeout_seconds": float("inf")},
        {"command": ["true"], "timeout_seconds": True},
    ],
)
def test_settings_that_tell_nobody_are_refused(settings):
    assert refusal(lambda: tenuto.NotifyOnEnd(**settings)) == ("invalid_setting", "config")


@pytest.mark.req("CB-READY-013")
@pytest.mark.parametrize(
    "changed",
    [
        {"to": ""},
        {"to": "a@b\nBcc: c@d"},
        {"sender": None},
        {"host": ""},
        {"port": 0},
        {"port": 2.5},
        {"security": "ssl"},
    ],
)
def test_settings_of_a_mail_that_are_out_of_range_are_refused(changed):
    settings = {"to": "a@b", "sender": "c@d", "host": "localhost", **changed}
    assert refusal(lambda: tenuto.Mail(**settings)) == ("invalid_setting", "config")
