"""The command line: each subcommand wires parts together, and nothing else.

Exit codes: 0 done, 1 the answer is no, 2 wrong use. Data goes to standard output, words to standard error.
"""

import argparse
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clickhouse_driver.errors import Error as DriverError
from sqlalchemy.exc import SQLAlchemyError

from analytics.errors import AnalyticsError
from backoffice.errors import BackofficeError
from core.errors import CoreError
from dashboard.errors import DashboardError
from ingest.errors import IngestError
from service.anomalies import add_anomalies_parser, print_anomalies
from service.command import add_command_parser
from service.conformance import add_conformance_parser, print_conformance, print_violations
from service.errors import ServiceError, SettingsError, UsageError
from service.evaluate import add_evaluate_parser, print_evaluation
from service.meters import add_meters_parser, print_meters
from service.settings import Settings, load_settings
from service.thresholds import add_thresholds_parser
from service.timeline import add_timeline_parser, check_options, print_timeline

DONE, NO, WRONG_USE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit code."""
    options = _parser().parse_args(arguments)
    result: int = DONE
    try:
        result = options.run(options)
        print(end="", flush=True)
    except (SettingsError, UsageError) as error:
        print(f"pilestream: {error}", file=sys.stderr)
        return WRONG_USE
    except (AnalyticsError, BackofficeError, CoreError, DashboardError, IngestError, ServiceError) as error:
        print(f"pilestream: {error}", file=sys.stderr)
        return NO
    except (DriverError, SQLAlchemyError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            # Whoever reads has enough (`… | head -1`).
            _end_output()
            return result
        print(f"pilestream: {_reason(error)}", file=sys.stderr)
        _end_output()
        return NO
    except KeyboardInterrupt:
        print("pilestream: stopped", file=sys.stderr)
        return INTERRUPTED
    return result


def _reason(error: Exception) -> str:
    """What the system refused and where, without the words of Python."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename} cannot be used: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def _end_output() -> None:
    """Write out what is left, or let go of it: Python would try once more at its end, and exit with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _nobody_reads() -> bool:
    """Whether it is standard output, and no other pipe or socket, whose reader is gone."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return bool(output.poll(0))


def _serve(options: argparse.Namespace) -> int:
    from service.serve import serve

    return serve(_settings(options))


def _demo(options: argparse.Namespace) -> int:
    from service.demo import demo

    settings = _settings(options, defaults={"ykc_port": 0, "aaf5_port": 0, "detect_port": 0, "dashboard_port": 0})
    return demo(settings, seconds=options.seconds, as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    from service.status import print_status

    return print_status(_settings(options), as_json=options.json)


def _config(options: argparse.Namespace) -> int:
    for name, value in _settings(options).masked().items():
        print(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return DONE


def _decode(options: argparse.Namespace) -> int:
    from core.aaf5.hex_lines import decode_line as decode_aaf5
    from core.ykc.hex_lines import decode_line as decode_ykc

    decode_line = decode_ykc if options.protocol == "ykc" else decode_aaf5
    for line in sys.stdin.buffer:
        print(json.dumps(decode_line(line.decode("utf-8", "replace")), ensure_ascii=False), flush=True)
    return DONE


def _load(options: argparse.Namespace) -> int:
    from service.master_data import load_file

    return load_file(_settings(options), options.file)


def _replay(options: argparse.Namespace) -> int:
    from service.replay import replay_capture

    return replay_capture(_settings(options), options.capture, into_live=options.into_live)


def _anomalies(options: argparse.Namespace) -> int:
    return print_anomalies(_settings(options), options)


def _bill(options: argparse.Namespace) -> int:
    from analytics.bill_lines import bill_lines
    from analytics.questions import Scope
    from analytics.safe_text import printable
    from service.running import running_client

    with running_client(_settings(options)) as client:
        lines = bill_lines(client, Scope(None), options.trade_no)
    for line in lines:
        print(json.dumps(line, ensure_ascii=False) if options.json else printable(_in_words(line)))
    found = {number for line in lines for number in (line["trade_no"], *line["other_numbers"])}
    unknown = [number for number in options.trade_no if number not in found]
    for number in unknown:
        print(f"pilestream: no session has the number {printable(number)}", file=sys.stderr)
    return NO if unknown else DONE


def _timeline(options: argparse.Namespace) -> int:
    check_options(options)
    settings = _settings(options)
    if options.export:
        from service.evidence_export import export_evidence

        return export_evidence(settings, options.trade_no, options.export, language=options.lang, pile=options.pile)
    return print_timeline(
        settings,
        options.trade_no,
        pile=options.pile,
        every=options.all,
        with_hex=options.hex,
        as_json=options.json,
    )


def _conformance(options: argparse.Namespace) -> int:
    settings = _settings(options)
    days = {"from_day": options.from_day, "to_day": options.to_day}
    if options.violations:
        return print_violations(settings, pile=options.pile, limit=options.limit, as_json=options.json, **days)
    return print_conformance(settings, by=options.by, at_least=options.at_least, as_json=options.json, **days)


def _meters(options: argparse.Namespace) -> int:
    return print_meters(_settings(options), options.pile, history=options.history, as_json=options.json)


def _thresholds(options: argparse.Namespace) -> int:
    from service.thresholds import print_thresholds

    return print_thresholds(_settings(options), options.preview, days=options.days, as_json=options.json)


def _evaluate(options: argparse.Namespace) -> int:
    return print_evaluation(_settings(options), options)


def _in_words(line: dict[str, Any]) -> str:
    codes = ",".join(map(str, line["codes"])) or "none"
    amount = "unknown" if line["final_amount_yuan"] is None else f"{line['final_amount_yuan']} yuan"
    held = " (held: waits for a person)" if line["held"] else ""
    others = f" (of {', '.join(line['other_numbers'])})" if line["other_numbers"] else ""
    return (
        f"{line['trade_no']}{others} {line['pile']}/{line['connector']} {line['start']} to {line['end']}: "
        f"charger {line['pile_energy_kwh']} kWh, platform {line['platform_energy_kwh']} kWh "
        f"[{line['low_kwh']}, {line['high_kwh']}] {line['quality']}, "
        f"billed {line['final_energy_kwh']} kWh = {amount}{held}; codes {codes}"
    )


def _settings(options: argparse.Namespace, defaults: dict[str, Any] | None = None) -> Settings:
    names = ("workers", "bind", "ykc_port", "aaf5_port", "detect_port", "tls_port", "dashboard_port", "data")
    return load_settings({name: getattr(options, name, None) for name in names}, defaults=defaults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pilestream", description="Platform core for operators of EV chargers.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = _command(commands, "serve", _serve, "run the platform", "pilestream serve --ykc-port 9770")
    demo = _command(commands, "demo", _demo, "run it with a simulated fleet", "pilestream demo --seconds 30 --json")
    for command in (serve, demo):
        command.add_argument("--bind", metavar="ADDR", help="address of the chargers' port (default 127.0.0.1)")
        command.add_argument(
            "--ykc-port", type=int, metavar="N", help="port for YKC chargers, 0 = a free one, -1 = none"
        )
        command.add_argument("--aaf5-port", type=int, metavar="N", help="port for AAF5 chargers")
        command.add_argument("--detect-port", type=int, metavar="N", help="port for chargers of either protocol")
        command.add_argument(
            "--tls-port", type=int, metavar="N", help="the same over TLS (needs tls_certificate, tls_key)"
        )
        command.add_argument("--workers", type=int, metavar="N", help="gateways that share the ports (default 1)")
        command.add_argument("--dashboard-port", type=int, metavar="N", help="port of the pages, 0 = a free one")
    demo.add_argument("--seconds", type=float, metavar="N", help="end after so many seconds (default: on Ctrl-C)")
    demo.add_argument("--json", action="store_true", help="print one JSON line at the end")

    status = _command(commands, "status", _status, "what runs and how it goes", "pilestream status --json")
    status.add_argument("--json", action="store_true", help="print JSON")
    _command(commands, "config", _config, "the settings in force", "pilestream config")

    decode = _command(
        commands, "decode", _decode, "hex lines in, one JSON object a line out", "pilestream decode ykc < frames.txt"
    )
    decode.add_argument("protocol", choices=["ykc", "aaf5"], help="the protocol of the frames")

    load = _command(commands, "load", _load, "take in a master data file", "pilestream load sites.toml")
    load.add_argument("file", type=Path, metavar="FILE.toml", help="operators, stations, chargers, tariffs")

    replay = _command(commands, "replay", _replay, "take in a capture", "pilestream replay day.jsonl")
    replay.add_argument("capture", type=Path, metavar="CAPTURE.jsonl", help='lines {"ts", "conn", "protocol", "hex"}')
    replay.add_argument("--into-live", action="store_true", help="also where serve runs or live sessions are open")

    add_anomalies_parser(commands, _anomalies)

    bill = _command(commands, "bill", _bill, "what was billed, and why", "pilestream bill 3201…0001 --json")
    bill.add_argument("trade_no", nargs="+", metavar="TRADE_NO")
    bill.add_argument("--json", action="store_true", help="one JSON object a line")

    add_timeline_parser(commands, _timeline)
    add_conformance_parser(commands, _conformance)
    add_meters_parser(commands, _meters)
    add_thresholds_parser(commands, _thresholds)
    add_evaluate_parser(commands, _evaluate)
    add_command_parser(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, example: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=f"example: {example}"
    )
    command.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    command.set_defaults(run=run)
    return command


if __name__ == "__main__":
    sys.exit(main())
