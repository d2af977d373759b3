"""One row of the table for each measurement, and its two forms: for people and for scripts."""

import dataclasses
import json
import pathlib
import statistics


@dataclasses.dataclass
class Row:
    """`ours` and `base` hold one sample per run, in the same unit; more is better when `more_is_better`."""
    name: str
    unit: str
    ours: list
    base: list
    base_name: str = "local"
    more_is_better: bool = False
    aim: str = ""  # what is hoped for, in words
    aim_ratio: float | None = None  # ours / base: at least this if more is better, else at most
    aim_value: float | None = None  # of ours alone: at most this

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ours) / statistics.median(self.base) if self.base else None

    @property
    def reached(self) -> bool | None:
        if self.aim_value is not None:
            return statistics.median(self.ours) <= self.aim_value
        if self.aim_ratio is None:
            return None
        return self.ratio >= self.aim_ratio if self.more_is_better else self.ratio <= self.aim_ratio


def spread(samples: list) -> str:
    """From the lowest to the highest, as a share of the median."""
    median = statistics.median(samples)
    return f"±{(max(samples) - min(samples)) / median / 2:.0%}" if median else "±0%"


def as_table(rows: list, facts: dict) -> str:
    header = ("measurement", "unit", "mount", "spread", "base", "", "spread", "ratio", "aim", "")
    lines = [header] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    title = ", ".join(f"{key} {value}" for key, value in facts.items())
    return "\n".join([title, "", text[0], "-" * len(text[0])] + text[1:])


def _cells(row: Row) -> tuple:
    base = (f"{statistics.median(row.base):.3g}", row.base_name, spread(row.base)) if row.base else ("", "", "")
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = {None: "", True: "reached", False: "MISSED"}[row.reached]
    return (row.name, row.unit, f"{statistics.median(row.ours):.3g}", spread(row.ours), *base, ratio, row.aim, verdict)


def as_json(rows: list, facts: dict) -> str:
    measured = [dataclasses.asdict(row) | {"ratio": row.ratio, "reached": row.reached} for row in rows]
    return json.dumps({"facts": facts, "rows": measured}, indent=2)


def publish(rows: list, facts: dict, json_file: str | None) -> None:
    """The table on standard output, and every sample in json_file; "-" is standard output, without the table."""
    if json_file != "-":
        print(as_table(rows, facts))
    if json_file:
        text = as_json(rows, facts)
        print(text) if json_file == "-" else pathlib.Path(json_file).write_text(text + "\n")


def chosen(measurements: list, only: str) -> list:
    """Those whose name has one of the words in `only`, "WORD,WORD"; all of them if there is none."""
    words = [word for word in only.split(",") if word]
    return [m for m in measurements if not words or any(word in m.__name__ for word in words)]
