"""The report of an evaluation: what its figures say, in the order of a reader's questions, and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ml.analysis.decision import ALL
from ml.models.trained import CARD_FILE, HELD_OUT_HEADING
from scin.evaluate import metrics
from scin.evaluate.document import Cell, Picture, Report, Row, Section, Table, figure_cell, html, markdown, table
from scin.evaluate.facts import JSON_FILE, facts, write_json
from scin.evaluate.fit import Choice
from scin.evaluate.held_out import Recognition, mistakes, worst_first, write_held_out
from scin.evaluate.leaderboard import CALIBRATED, FOLDS, PUBLISHED, Disagreement, Evaluation
from scin.evaluate.metrics import LEVEL, TOO_FEW, TOP_1, TOP_3, Figure
from scin.evaluate.plots import draw_plots
from scin.facts import SCIN
from scin.index.choose import ENCODER_FOLDER
from scin.index.manifest import Manifest
from scin.index.vote import COVERAGE

MARKDOWN_FILE, PAGE_FILE = "leaderboard.md", "leaderboard.html"
#: the card of an index's own encoder
CARD = f"{ENCODER_FOLDER}/{CARD_FILE}"
_INTERVAL = re.compile(r"^(.*\S)\s+(\[[^\]]*\])$")
_BORDER = re.compile(r"(?<!\\)\|")

GENERATED = "Generated data: these figures say how the software behaves, nothing about disease."
_DIFFERENTIAL_METRICS = tuple(f"{kind}-{k}" for kind in ("any", "weight") for k in metrics.CUTS)
#: how many conditions, confusions and confusions of one condition are listed
_CONDITIONS, _MISTAKES, _NAMED = 10, 15, 3
#: the parts of the attribution that a page must state beside the dataset and its licence
_CREDIT = ("citation", "notice", "changes", "source")


def write_leaderboard(
    found: Evaluation, manifest: Manifest, out: Path, *, card: str = "", seed: int, resamples: int
) -> None:
    """Write the report to the folder ``out``. The same evaluation gives the same bytes.

    ``card``: the Markdown card of the index's own encoder, or "" if it has none.
    """
    out.mkdir(parents=True, exist_ok=True)
    note = f"{manifest.name}: {found.counts.judged:,} cases" + (", generated data" if manifest.synthetic else "")
    pictures = draw_plots(found, out, note)
    report = leaderboard(found, manifest, pictures, card, seed=seed, resamples=resamples)
    write_json(out / JSON_FILE, facts(found, manifest, seed, resamples))
    write_held_out(out, found.answers)
    (out / MARKDOWN_FILE).write_text(markdown(report), encoding="utf-8")
    (out / PAGE_FILE).write_text(html(report), encoding="utf-8")


def leaderboard(
    found: Evaluation, manifest: Manifest, pictures: Mapping[str, Picture], card: str, *, seed: int, resamples: int
) -> Report:
    """The report. ``pictures``: see ``plots.draw_plots``. ``card``: see ``write_leaderboard``."""
    training = _before_and_after(card)
    return Report(
        title=f"Leaderboard of the index “{manifest.name}”",
        lead="How often this index ranks conditions as the labels of its cases do, for whom, and how certain it is.",
        warning=GENERATED if manifest.synthetic else "",
        sections=(
            _headline(found),
            _evaluated(found, manifest, seed, resamples),
            _ways(found),
            _by_tone(found, pictures.get("accuracy-by-tone")),
            _conditions(found),
            _confusions(found, pictures["confusion"]),
            _certainty(found, pictures["reliability"]),
            *([training] if training is not None else []),
            _image_split(found, manifest),
            _chosen(found.choice),
            _made(manifest, seed, resamples),
        ),
    )


def _headline(found: Evaluation) -> Section:
    overall, sets = found.overall[CALIBRATED], found.sets[f"{COVERAGE:.2f}"][ALL]
    error = found.after.expected_calibration_error
    rows: list[Row] = [
        [TOP_1, figure_cell(overall[TOP_1]), f"{_of_100(overall[TOP_1])} new cases, a leading condition is first."],
        [TOP_3, figure_cell(overall[TOP_3]), f"{_of_100(overall[TOP_3])}, one is among the first three."],
        [
            metrics.RECALL,
            figure_cell(overall[metrics.RECALL]),
            "Top-1 if every condition counts the same, however rare. Below top-1: rare conditions are missed.",
        ],
        [
            metrics.NDCG,
            figure_cell(overall[metrics.NDCG]),
            "How well the first five follow the whole label with its weights. 1: in the label's own order.",
        ],
        [
            f"coverage of sets for {COVERAGE:.0%}",
            figure_cell(sets.coverage),
            f"The stated set of conditions holds a leading one this often. It should be about {COVERAGE:.2f}.",
        ],
        [
            "conditions in such a set",
            figure_cell(sets.size, 1),
            f"On average, of {found.counts.conditions} conditions. A small set says more.",
        ],
        [
            "calibration error",
            f"{error:.3f}",
            f"The first condition's probability is {error:.3f} away from how often it comes true, on average.",
        ],
        [
            "called unlike the index",
            f"{found.outliers:.3f}",
            f"The service warns for {found.outliers:.1%} of such cases that the index has nothing like them.",
        ],
    ]
    return Section(
        "Headline figures",
        text=(
            "Of the answers that are served, to cases that were held out. A leading condition is one with the largest "
            "weight in the case's label.",
        ),
        tables=(table(["figure", "value [95% interval]", "what it means"], rows, explained=True),),
    )


def _of_100(figure: Figure) -> str:
    return "Too few cases to say in how many" if figure.value is None else f"In {100 * figure.value:.0f} of 100"


def _evaluated(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> Section:
    counts, seen = found.counts, found.counts.cases - found.counts.judged
    credit = ". ".join(value.rstrip(".") for name, value in manifest.attribution.items() if name in _CREDIT)
    rows = [
        ["dataset", f"{manifest.dataset}, release {manifest.release}"],
        ["licence", manifest.licence],
        ["attribution", credit or "none stated"],
        ["photos", f"{counts.photos:,} {manifest.photo_kind}, of which {counts.different_photos:,} are different"],
        ["encoder", f"{manifest.encoder} {manifest.encoder_version}, {manifest.dimension} dimensions"],
        ["cases", f"{counts.cases:,} with a label, in {counts.groups:,} groups that share no photo and no patient"],
        ["judged", f"{counts.judged:,} cases, each answered without the cases of its group"],
        ["seen by the encoder", f"{seen:,} cases: searched, never judged" if seen else "none"],
        ["conditions", f"{counts.conditions:,}"],
        ["folds", f"{FOLDS} of whole groups, seed {seed}; {counts.in_two_folds} cases or photos in two folds"],
        ["intervals", f"{LEVEL:.0%}, from {resamples:,} bootstrap resamples of groups"],
        ["“too few”", f"fewer than {TOO_FEW} cases, or no condition with {metrics.MIN_CASES}"],
    ]
    return Section("What was evaluated", tables=(table(["fact", "value"], rows),))


def _ways(found: Evaluation) -> Section:
    return Section(
        "Ways to answer",
        text=(
            "All of them answer the same held-out cases. The chosen method is served, after calibration. The last one "
            "looks at no photo and ranks the commonest conditions first: an index that is hardly better is of no use.",
        ),
        tables=(
            _figures("way", found.overall, metrics.MAIN),
            _figures("way", found.overall, _DIFFERENTIAL_METRICS, note="Against the whole label:"),
        ),
    )


def _figures(head: str, groups: Mapping[str, metrics.Figures], shown: Sequence[str], note: str = "") -> Table:
    rows: list[Row] = [
        [group, f"{figures[shown[0]].n:,}", *(figure_cell(figures[metric]) for metric in shown)]
        for group, figures in groups.items()
    ]
    return table([head, "n", *shown], rows, note)


def _by_tone(found: Evaluation, picture: Picture | None) -> Section:
    tables = tuple(
        _figures("group", groups, metrics.MAIN, note=f"{scale}:")
        for scale, groups in found.tones[CALIBRATED].items()
        if groups
    )
    text = "Of the served answers. A group with too few cases has no figure: nothing is known about it."
    none = "No case states a skin tone, so nothing is known about tones."
    return Section("By skin tone", (text if tables else none,), tables, (picture,) if picture else ())


def _conditions(found: Evaluation) -> Section:
    ranked = worst_first(found.conditions)
    rare = sorted((one for one in found.conditions if one.n < TOO_FEW), key=lambda one: (-one.n, one.name))
    shown = ranked[:_CONDITIONS]
    best = ranked[len(shown) :][::-1][:_CONDITIONS]
    text = (
        f"{len(ranked)} of {len(found.conditions)} conditions lead in at least {TOO_FEW} judged cases. "
        "Recall is top-1 of the cases in which the condition leads."
    )
    tables = [
        _recall_table(some, note) for some, note in ((shown, "Lowest recall first:"), (best, "Highest first:")) if some
    ]
    if rare:
        more = len(rare) - _CONDITIONS
        note = f"The others have too few cases for a figure{f'; {more} more are even rarer' if more > 0 else ''}:"
        rows: list[Row] = [
            [one.name, str(one.n), f"{one.first} of {one.n}", f"{one.first_three} of {one.n}", _taken_for(one)]
            for one in rare[:_CONDITIONS]
        ]
        tables.append(table(["condition", "n", "first", "among the first three", "taken for"], rows, note))
    return Section("Worst and best conditions", (text,), tuple(tables))


def _recall_table(shown: Sequence[Recognition], note: str) -> Table:
    rows: list[Row] = [
        [one.name, str(one.n), figure_cell(one.top_1), figure_cell(one.top_3), _taken_for(one)] for one in shown
    ]
    return table(["condition", "n", "recall", TOP_3, "taken for"], rows, note)


def _taken_for(one: Recognition) -> str:
    return ", ".join(f"{mistake.answer} ({mistake.cases})" for mistake in one.mistakes[:_NAMED]) or "none"


def _confusions(found: Evaluation, picture: Picture) -> Section:
    of_truth = {one.name: one.n for one in found.conditions}
    rows = [
        [one.truth, one.answer, f"{one.cases} of {of_truth[one.truth]}", f"{one.cases / of_truth[one.truth]:.0%}"]
        for one in mistakes(found.answers)[:_MISTAKES]
    ]
    return Section(
        "Confusions",
        (
            "The plot shows the conditions that lead most often: a row for each leading condition, a column for what "
            "is ranked first. The table lists the most frequent wrong answers to all cases.",
        ),
        (table(["leading condition", "ranked first", "cases", "share"], rows),) if rows else (),
        (picture,),
    )


def _certainty(found: Evaluation, picture: Picture) -> Section:
    before, after = (part.expected_calibration_error for part in (found.before, found.after))
    rows: list[Row] = [
        [f"{float(coverage):.0%}", group, f"{sets.coverage.n:,}", figure_cell(sets.coverage), figure_cell(sets.size, 1)]
        for coverage, groups in found.sets.items()
        for group, sets in groups.items()
        if sets.coverage.n
    ]
    return Section(
        "Certainty",
        (
            "On the dashed line of the plot, a condition leads as often as its probability says; below the line, the "
            "probability is too high. Larger marks stand for more cases. Expected calibration error of the first "
            f"condition: {before:.3f} before calibration, {after:.3f} after.",
            *_disagreement(found.disagreement),
        ),
        (
            table(
                ["stated", "tone group", "n", "coverage", f"conditions in the set, of {found.counts.conditions}"],
                rows,
                "Sets of conditions that should hold a leading one as often as stated:",
            ),
        ),
        (picture,),
    )


def _disagreement(found: Disagreement | None) -> list[str]:
    if found is None:
        return []
    return [
        f"Head and vote disagree in {found.share:.1%} of the cases. Top-1 is {figure_cell(found.accuracy)} in them and "
        f"{figure_cell(found.accuracy_of_others)} in the others."
    ]


def _before_and_after(card: str) -> Section | None:
    """The card's part on held-out cases. None if the card has no such part."""
    _, found, rest = card.partition(HELD_OUT_HEADING + "\n")
    if not found:
        return None
    blocks = [block for block in re.split(r"\n\s*\n", rest.partition("\n## ")[0].strip()) if block]
    return Section(
        "Before and after training",
        tuple(" ".join(block.split()) for block in blocks if not block.startswith("|")),
        tuple(_read_table(block) for block in blocks if block.startswith("|")),
    )


def _read_table(block: str) -> Table:
    head, _, *rows = (tuple(_read_cells(line)) for line in block.splitlines())
    return Table(tuple(cell.value for cell in head), tuple(rows))


def _read_cells(line: str) -> Iterator[Cell]:
    for cell in _BORDER.split(line.strip())[1:-1]:
        words = cell.strip().replace("\\|", "|")
        interval = _INTERVAL.match(words)
        yield Cell(*interval.groups()) if interval else Cell(words)


def _image_split(found: Evaluation, manifest: Manifest) -> Section:
    published = PUBLISHED if manifest.dataset == SCIN["dataset"] else {}
    rows: list[Row] = [
        [f"{name}, images split at random", Cell(f"{value:.3f}", "(published)")] for name, value in published.items()
    ]
    for name, split in (("images split at random", found.image_split), ("whole cases", found.case_split)):
        shared = f"{split.cases_on_both_sides} cases on both sides"
        rows.append([f"this index, logistic regression, {name}: {shared}", figure_cell(split.macro_auroc)])
    text = (
        "Published figures of SCIN are from images that were split at random: photos of one case can be on both sides, "
        "which makes figures too high. The same protocol on this index shows the effect."
    )
    head = ["protocol", f"macro AUROC of the {metrics.COMMONEST} commonest"]
    return Section("If images are split instead of cases", (text,), (table(head, rows),))


def _chosen(choice: Choice) -> Section:
    mixtures = {f"{weight:g}": score for weight, score in choice.mixtures.items()}
    method = choice.method[0].upper() + choice.method[1:]
    return Section(
        "Chosen for serving",
        (
            f"{method}. Neighbours are searched after the transform {choice.transform.spec.name}. These have the best "
            "mean of top-1 and macro recall on inner folds. The scores chose them, so they are slightly too high.",
        ),
        (_scores("head's weight", mixtures), _scores("transform of a vote", choice.tried)),
    )


def _scores(tried: str, scores: Mapping[str, float]) -> Table:
    return table([tried, "best score"], [[name, f"{score:.3f}"] for name, score in scores.items()])


def _made(manifest: Manifest, seed: int, resamples: int) -> Section:
    command = f"python -m scin evaluate --index var/index/{manifest.name} --seed {seed} --resamples {resamples}"
    text = "The same index, seed and number of resamples give the same page. docs/leaderboard.md defines the figures."
    return Section("How to make this page", (text,), command=command)
