"""The summary says what the answer's fields say: no all-clear, no alarm without evidence, no number without meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ml.analysis.messages import FINDINGS, GRADES, HEADLINES, LIMITS, NEXT_STEPS, Clause, Listed
from ml.analysis.routing import MAYBE_DERMATOSCOPIC, MAYBE_ONE_LESION
from ml.analysis.summary import MOST_FINDINGS, Summary, summarise
from ml.skin.catalogue import CATALOGUE
from ml.values import (
    Analysis,
    Condition,
    Decision,
    IndexInfo,
    Lesion,
    LesionDecision,
    LesionSum,
    Measurement,
    Modality,
    Prediction,
    Problem,
    Quality,
    Skin,
    Tone,
    Zone,
)

GOOD = Quality(True, 95.0)
SYNTHETIC = IndexInfo("sample", "made", True, 3, 3, 4, "2026-01-01", {})
REAL = replace(SYNTHETIC, synthetic=False)
BLURRED = Problem("too_blurry", "The photo is blurred.", "Hold still and tap to focus.")
CLASSES = {
    "bcc": "Basal cell carcinoma",
    "scc": "Squamous cell carcinoma",
    "mel": "Melanoma",
    "ack": "Actinic keratosis",
    "nev": "Melanocytic nevus",
    "sek": "Seborrheic keratosis",
}
CANCER, EARLY = ("bcc", "scc", "mel"), ("bcc", "scc", "mel", "ack")


def analysis(kind: str | None, **changed: Any) -> Analysis:
    made = Analysis(
        photos=(),
        quality=GOOD,
        modality=Modality(kind, 0.95, None),
        skin=Skin(None),
        conditions=(),
        lesion=None,
        decision=Decision("abstain", reasons=("synthetic_index",)),
        similar_cases=(),
        index=SYNTHETIC,
        models=(),
    )
    return replace(made, **changed)


def rated(possible: tuple[str, ...], **probabilities: float) -> Lesion:
    """The phone model's answer: ``possible`` is its set."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])

    def total(codes: tuple[str, ...]) -> float:
        return sum(probabilities.get(code, 0.0) for code in codes)

    return Lesion(
        model="phone-lesions",
        predictions=tuple(Prediction(code, CLASSES[code], None, p) for code, p in ranked),
        malignant_probability=total(CANCER),
        definition="",
        caveat="",
        sensitivity=0.87,
        input="phone",
        sums=(
            LesionSum("cancer", CANCER, total(CANCER)),
            LesionSum("cancer_or_precancerous", EARLY, total(EARLY)),
        ),
        decision=LesionDecision("set", possible, 0.9),
    )


def measured(name: str, value: float | None, uncertainty: float, **changed: Any) -> Measurement:
    region = {"zone_redness_difference": "nose", "spot_count": "face"}.get(name, "lesion_minus_surrounding")
    return replace(CATALOGUE[name].measurement(region, value, uncertainty), **changed)


def skin(*measurements: Measurement, zones: tuple[Zone, ...] | None = None, tone: Tone | None = None) -> Skin:
    return Skin(tone, measurements, zones)


def zone(name: str, redder: float, uncertainty: float = 3.4) -> Zone:
    return Zone(name, (), (measured("zone_redness_difference", redder, uncertainty, region=name),))


def codes(summary: Summary) -> list[str]:
    return [one.text.code for one in summary.findings]


@pytest.mark.parametrize(
    ("case", "headline"),
    [
        (analysis("not_skin"), "no_skin"),
        (analysis(None, quality=Quality(False, 0.0)), "nothing_to_see"),
        (analysis("face", quality=Quality(True, 25.0, (), colours=False)), "no_colours"),
    ],
)
def test_where_nothing_was_measured_nothing_is_said_of_the_skin(case: Analysis, headline: str) -> None:
    summary = summarise(case)
    assert summary.headline.code == headline
    assert (summary.next_step.code, summary.limits.code) == ("show_skin", "nothing")
    assert summary.findings == ()


def test_where_no_skin_is_seen_nothing_is_said_of_the_skins_light() -> None:
    blurred = Quality(True, 50.0, (BLURRED,))
    assert summarise(analysis("not_skin", quality=blurred)).findings == ()
    even = Problem("no_contrast", "The photo is one even area: nothing can be measured.", "Take the photo again.")
    summary = summarise(analysis(None, quality=Quality(False, 0.0, (even, BLURRED))))
    assert codes(summary) == ["quality"]
    assert summary.next_step.values == {"advice": Clause("Take the photo again.")}


def test_a_doubtful_guess_that_there_is_no_skin_is_uncertain() -> None:
    assert summarise(analysis("not_skin", modality=Modality("not_skin", 0.55, None))).certainty == "uncertain"


def test_a_spot_that_is_probably_cancer_goes_to_a_doctor_soon() -> None:
    summary = summarise(analysis("lesion_close_up", lesion=rated(("bcc", "scc"), bcc=0.6, scc=0.3, nev=0.1)))
    assert (summary.headline.code, summary.certainty) == ("spot_for_a_doctor", "likely")
    assert summary.next_step.code == "doctor_soon"
    assert summary.findings[0].text.values["conditions"].texts == (CLASSES["bcc"], CLASSES["scc"])
    assert summary.findings[1].text.values == {"share": 9}
    assert summary.findings[1].basis == "lesion.sums.cancer_or_precancerous"


def test_an_early_form_goes_to_a_doctor_without_haste() -> None:
    summary = summarise(analysis("lesion_close_up", lesion=rated(("ack",), ack=0.9, bcc=0.05, nev=0.05)))
    assert (summary.headline.code, summary.next_step.code) == ("spot_for_a_doctor", "doctor")


def test_where_harmless_kinds_remain_possible_the_headline_does_not_alarm() -> None:
    summary = summarise(analysis("lesion_close_up", lesion=rated(("mel", "nev"), mel=0.6, nev=0.4)))
    assert (summary.headline.code, summary.certainty) == ("spot_perhaps_for_a_doctor", "uncertain")
    summary = summarise(analysis("lesion_close_up", lesion=rated(("nev", "mel"), nev=0.8, mel=0.2)))
    assert (summary.headline.code, summary.certainty, summary.next_step.code) == ("spot_open", "uncertain", "doctor")


def test_a_spot_that_may_be_no_spot_is_never_likely_to_be_one_for_a_doctor() -> None:
    lesion = rated(("bcc",), bcc=0.95, nev=0.05)
    summary = summarise(analysis("lesion_close_up", lesion=lesion, notes=(MAYBE_ONE_LESION,)))
    assert (summary.headline.code, summary.certainty) == ("spot_perhaps_for_a_doctor", "uncertain")
    assert "kind_doubtful" in codes(summary)


def test_an_ordinary_spot_gets_no_all_clear_and_no_word_of_shares_of_cancer() -> None:
    summary = summarise(analysis("lesion_close_up", lesion=rated(("nev",), nev=0.95, mel=0.05)))
    assert (summary.headline.code, summary.next_step.code) == ("spot_like", "doctor_if_spot")
    assert "cannot rule out skin cancer" in str(HEADLINES["spot_like"])
    assert "rated_alike" not in codes(summary)
    assert summary.limits.values == {"missed": 13}


def test_a_model_without_a_set_counts_every_class_of_a_tenth() -> None:
    lesion = replace(rated((), nev=0.7, mel=0.2, sek=0.1), decision=None, input="dermatoscopic")
    summary = summarise(analysis("dermatoscopic", lesion=lesion))
    assert summary.findings[0].text.values["conditions"].texts == (
        CLASSES["nev"],
        CLASSES["mel"],
        CLASSES["sek"],
    )
    assert summary.limits.code == "lens_spots"


def test_a_spot_unlike_the_known_ones_is_called_so() -> None:
    lesion = replace(rated((), nev=1.0), predictions=(), sums=(), decision=LesionDecision("none_of_these"))
    summary = summarise(analysis("lesion_close_up", lesion=lesion))
    assert (summary.headline.code, summary.next_step.code) == ("spot_unknown", "doctor_if_spot")


def test_a_photo_that_may_be_dermatoscopic_is_sent_again_with_its_kind() -> None:
    blurred = Quality(True, 80.0, (BLURRED,))
    summary = summarise(analysis("lesion_close_up", notes=(MAYBE_DERMATOSCOPIC,), quality=blurred))
    assert "kind_perhaps_dermatoscopic" in codes(summary)
    assert summary.next_step.code == "state_kind"


def test_a_real_index_names_its_conditions_and_their_urgency_decides_the_next_step() -> None:
    likely = tuple(Condition(name, None, p, "possible", ()) for name, p in (("Eczema", 0.5), ("Cellulitis", 0.3)))
    decision = Decision("set", ("Eczema", "Cellulitis"), 0.9)
    case = analysis("close_up", index=REAL, decision=decision, conditions=likely)
    summary = summarise(case, urgency=lambda name: "today" if name == "Cellulitis" else "ordinary")
    assert (summary.headline.code, summary.certainty, summary.next_step.code) == (
        "conditions",
        "uncertain",
        "doctor_today",
    )
    assert [one.basis for one in summary.findings] == ["decision.set", "decision.coverage"]
    assert summary.next_step.values["conditions"].texts == ("Cellulitis",)
    improbable = (likely[0], replace(likely[1], probability=0.1))
    calm = summarise(
        replace(case, conditions=improbable), urgency=lambda _: "days" if _ == "Cellulitis" else "ordinary"
    )
    assert calm.next_step.code == "doctor_if_skin"
    one = summarise(replace(case, decision=Decision("answer", ("Eczema",), 0.9)))
    assert (one.headline.code, one.certainty, one.next_step.code) == ("condition", "likely", "doctor_if_skin")


def test_of_many_conditions_the_improbable_ones_are_counted_but_not_named() -> None:
    shares = {"Eczema": 0.4, "Psoriasis": 0.2, "Tinea": 0.05, "Melanoma": 0.04}
    likely = tuple(Condition(name, None, p, "possible", ()) for name, p in shares.items())
    decision = Decision("set", tuple(shares), 0.9)
    case = analysis("close_up", index=REAL, decision=decision, conditions=likely)
    summary = summarise(case, urgency=lambda name: "days" if name == "Melanoma" else "ordinary")
    assert summary.headline.code == "many_conditions"
    assert summary.headline.values["conditions"].texts == ("Eczema", "Psoriasis")
    assert summary.findings[1].text.values == {"share": 9, "number": 4}
    assert summary.next_step.code == "doctor_if_skin"


def test_a_difference_in_colour_counts_only_beyond_its_uncertainty() -> None:
    near = skin(measured("lightness_difference", -8.0, 9.0), measured("redness_difference", 4.0, 5.0))
    assert summarise(analysis("lesion_close_up", skin=near)).headline.code == "skin"
    dark = skin(measured("lightness_difference", -10.0, 9.0), measured("redness_difference", 4.0, 5.0))
    summary = summarise(analysis("lesion_close_up", skin=dark))
    assert (summary.headline.code, summary.certainty) == ("spot_stands_out", "likely")
    assert summary.headline.values == {"differences": Listed(("darker",))}
    assert summary.findings[0].basis == "skin.measurements.lightness_difference"


def test_what_another_photo_would_show_too_is_clear_for_a_spot_but_not_for_a_rash() -> None:
    both = skin(measured("lightness_difference", -20.0, 9.0), measured("redness_difference", 12.0, 5.0))
    spot, area = (summarise(analysis(kind, skin=both)) for kind in ("lesion_close_up", "close_up"))
    assert (spot.certainty, area.certainty) == ("clear", "likely")
    assert spot.headline.values == {"differences": Listed(("redder", "darker"))}
    assert (spot.headline.code, area.headline.code) == ("spot_stands_out", "area_stands_out")


def test_a_face_is_described_by_its_zones_and_spots() -> None:
    plain = skin(zones=(zone("nose", 1.0), zone("left_cheek", -9.0)))
    assert summarise(analysis("face", skin=plain)).headline.code == "face"
    red = skin(zones=(zone("nose", 4.0), zone("left_cheek", 9.0)))
    summary = summarise(analysis("face", skin=red))
    assert summary.headline.values == {"zones": Listed(("the left cheek", "the nose"))}
    everywhere = skin(zones=(*red.zones, zone("right_cheek", 8.0), zone("chin", 7.0)))
    assert summarise(analysis("face", skin=everywhere)).headline.values == {
        "zones": Listed(("the left cheek", "the right cheek", "the chin"))
    }
    assert summary.certainty == "likely"  # too few pairs of photos for more
    spots = skin(measured("spot_count", 12.0, 8.0), zones=(zone("nose", 1.0),))
    summary = summarise(analysis("face", skin=spots))
    assert summary.headline.code == "spots"
    assert summary.findings[0].text.values == {"number": 12, "fewest": 4, "most": 20}
    both = skin(measured("spot_count", 12.0, 8.0), zones=(zone("nose", 4.0),))
    assert summarise(analysis("face", skin=both)).headline.code == "zones_redder_and_spots"
    unsure = skin(measured("spot_count", 4.0, 5.0), zones=(zone("nose", 1.0),))
    summary = summarise(analysis("face", skin=unsure))
    assert (summary.headline.code, codes(summary)) == ("face", ["spot_count"])
    assert summarise(analysis("face")).headline.code == "face_not_compared"


def test_a_size_needs_the_scale_and_a_tone_its_reference() -> None:
    size = skin(measured("lesion_diameter_mm", 6.24, 0.81), tone=Tone("", "light", ("light", "medium")))
    assert codes(summarise(analysis("lesion_close_up", skin=size))) == ["diameter"]
    tone = skin(tone=Tone("", "light", ("light", "light"), reference="grey_card", ita_category="tan"))
    assert codes(summarise(analysis("close_up", skin=tone))) == ["tone"]


def test_grades_need_a_real_population() -> None:
    rough = skin(measured("roughness", 2.0, 0.4, region="skin", score=97.0, score_uncertainty=3.0))
    assert codes(summarise(analysis("close_up", skin=rough))) == []
    summary = summarise(analysis("close_up", skin=rough, index=REAL))
    assert codes(summary) == ["unusual"]
    assert summary.findings[0].text.values == {"grade": "a rougher surface", "share": 97}
    smooth = skin(measured("roughness", 0.1, 0.4, region="skin", score=4.0, score_uncertainty=3.0))
    finding = summarise(analysis("close_up", skin=smooth, index=REAL)).findings[0]
    assert finding.text.values == {"grade": "a smoother surface", "share": 96}
    usual = skin(measured("roughness", 2.0, 0.4, region="skin", score=60.0, score_uncertainty=3.0))
    assert codes(summarise(analysis("close_up", skin=usual, index=REAL))) == []


def test_a_bad_photo_makes_what_was_measured_less_certain_and_asks_for_a_better_one() -> None:
    red = skin(zones=(zone("nose", 4.0),))
    summary = summarise(analysis("face", skin=red, quality=Quality(True, 60.0, (BLURRED,))))
    assert summary.certainty == "uncertain"
    assert [(one.text.code, one.certainty) for one in summary.findings] == [
        ("redder_zones", "uncertain"),
        ("quality", "clear"),
    ]
    assert summary.next_step.values == {"advice": Clause(BLURRED.advice)}


def test_a_very_bad_photo_is_the_headline() -> None:
    summary = summarise(analysis("close_up", quality=Quality(True, 12.0, (BLURRED,))))
    assert summary.headline.code == "poor_photo"
    assert summary.limits.code == "nothing"


def test_a_blurred_spot_for_a_doctor_still_goes_to_a_doctor() -> None:
    case = analysis(
        "lesion_close_up", lesion=rated(("bcc",), bcc=0.9, nev=0.1), quality=Quality(True, 60.0, (BLURRED,))
    )
    assert summarise(case).next_step.code == "doctor_soon"


def test_cosmetic_mode_sends_nobody_to_a_doctor() -> None:
    red = skin(zones=(zone("nose", 4.0),))
    summary = summarise(analysis("face", skin=red), cosmetic=True)
    assert (summary.next_step.code, summary.limits.code) == ("compare", "cosmetic")
    assert summarise(analysis("not_skin"), cosmetic=True).limits.code == "nothing"


def test_a_made_up_answer_says_so_first() -> None:
    summary = summarise(analysis("face"), made_up=True)
    assert (summary.headline.code, summary.limits.code) == ("made_up", "made_up")


def test_a_contradicted_kind_is_a_finding() -> None:
    case = analysis("close_up", modality=Modality("close_up", None, "dermatoscopic"))
    assert "kind_contradicted" in codes(summarise(case))


def test_there_are_at_most_five_findings_the_problems_of_the_photo_last() -> None:
    problems = tuple(
        Problem(code, code, code) for code in ("too_blurry", "too_dark", "clipped", "colour_cast", "hdr_photo")
    )
    red = skin(zones=(zone("nose", 9.0),))
    summary = summarise(analysis("face", skin=red, quality=Quality(True, 40.0, problems)))
    assert len(summary.findings) == MOST_FINDINGS
    assert codes(summary)[0] == "redder_zones"


@pytest.mark.parametrize("text", [*HEADLINES.values(), *FINDINGS.values(), *NEXT_STEPS.values(), *LIMITS.values()])
def test_no_text_uses_words_that_need_training(text: str | tuple[str, str]) -> None:
    hard = ("lesion", "erythema", "melanin", "index", "modality", "calibrat", "probabil", "conformal", "percentile")
    for one in [text] if isinstance(text, str) else text:
        assert not [word for word in hard if word in one.lower()]
        assert one == "{problem}" or one.endswith(".")


def test_every_scored_measure_has_words_for_its_grades() -> None:
    assert set(GRADES) == {name for name, measure in CATALOGUE.items() if measure.scored}


@pytest.mark.parametrize("text", [*HEADLINES.values(), *FINDINGS.values(), *NEXT_STEPS.values(), *LIMITS.values()])
def test_no_text_says_that_nothing_is_wrong(text: str | tuple[str, str]) -> None:
    for one in [text] if isinstance(text, str) else text:
        said = one.lower().replace("no answer is an all-clear", "").replace("gives no all-clear", "")
        calming = (
            "healthy",
            "harmless",
            "benign",
            "normal",
            "nothing is wrong",
            "all-clear",
            "no need",
            "safe",
            "fine.",
        )
        assert not [word for word in calming if word in said]
