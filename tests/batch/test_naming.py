"""What results are called, and which names are refused before work starts."""

import sys
from pathlib import Path, PurePath

import pytest

from w2v_cli.batch.inputs import place_in_list
from w2v_cli.batch.naming import NameTemplate, OutputNames
from w2v_cli.batch.outcome import Item
from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import RecordingPart, part_place

SRT = {"srt": ".srt"}


def names(*places, suffixes=SRT, **options):
    items = [Item(f"in/{place}", PurePath(place)) for place in places]
    files = OutputNames("out", items, suffixes, **options)
    return [path.as_posix() for item in items for path in files[item.source].values()]


def test_the_tree_is_mirrored():
    assert names("talk.wav", "mon/talk.wav", "mon/x.y/größe 🎙.flac") == [
        "out/talk.srt",
        "out/mon/talk.srt",
        "out/mon/x.y/größe 🎙.srt",
    ]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{stem}.{ext}", "out/mon/talk.srt"),
        ("{name}.{ext}", "out/mon/talk.wav.srt"),
        ("{stem}-{suffix}.{ext}", "out/mon/talk-wav.srt"),
        ("{format}/{stem}.{ext}", "out/mon/srt/talk.srt"),
        ("{{{stem}}}.{ext}", "out/mon/{talk}.srt"),
    ],
)
def test_templates(template, path):
    assert names("mon/talk.wav", template=NameTemplate(template)) == [path]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{stem}.{extension}", r"no field \{extension\}; there are \{stem\}, \{name\}"),
        ("{}", r"no field \{\}"),
        ("{stem", r"--name '\{stem': expected '}'"),
        ("../{stem}", "it must stay in the folder"),
        ("/tmp/{stem}", "it must stay in the folder"),
        ("", "it must stay in the folder"),
    ],
)
def test_templates_that_are_refused(template, message):
    with pytest.raises(UsageError, match=message):
        NameTemplate(template)


@pytest.mark.parametrize(
    ("places", "options", "message"),
    [
        (
            ["a/talk.wav", "a/talk.mp3"],
            {},
            r"^in/a/talk.wav and in/a/talk.mp3 would both be written to out/a/talk.srt; .*--name",
        ),
        (["a/1.wav", "b/2.wav", "a/3.wav"], {"template": NameTemplate("x.{ext}")}, "both"),
        (["a.wav", "b.wav", "a.wav"], {}, r"^in/a.wav: the same recording is named more than"),
        (
            ["a.wav"],
            {"template": NameTemplate("{stem}"), "suffixes": {"srt": ".srt", "vtt": ".vtt"}},
            "all formats would have one name",
        ),
        (
            ["a", "a/b"],
            {"template": NameTemplate("{stem}")},
            "out/a: a folder and a file would be called so",
        ),
        (["x" * 252 + ".wav"], {}, "the name is too long for a file"),
    ],
)
def test_names_that_two_would_share(places, options, message):
    with pytest.raises(UsageError, match=message):
        names(*places, **options)


def test_recordings_that_were_named_one_by_one_get_longer_names():
    items = [
        Item(source, PurePath(PurePath(source).name)) for source in ("mon/talk.wav", "tue/talk.wav")
    ]
    files = OutputNames("out", items, SRT, apart=True)
    assert files["tue/talk.wav"] == {"srt": Path("out/tue_talk.srt")}
    with pytest.raises(UsageError, match="would both be written to"):
        OutputNames("out", items, SRT, apart=True, template=NameTemplate("{stem}.{ext}"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="case does not count there")
def test_names_that_differ_in_case_alone():
    items = [Item(name, PurePath(name)) for name in ("Talk.opus", "talk.opus")]
    files = OutputNames("out", items, SRT, apart=True)
    assert len({files[item.source]["srt"] for item in items}) == 2
    with pytest.raises(UsageError, match="named more than once"):
        OutputNames("out", [items[0], items[0]], SRT, apart=True)


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("{suffix}/{stem}.{ext}", "talk.srt"),
        ("{stem}/{suffix}/./x.{ext}", "talk/x.srt"),
        ("{stem}//{ext}", "talk/srt"),
    ],
)
def test_a_field_that_is_empty_leads_out_of_no_folder(template, place):
    assert NameTemplate(template).place(Item("talk", PurePath("talk")), "srt", ".srt") == place
    with pytest.raises(UsageError, match="would call the result of talk"):
        NameTemplate(".{suffix}./{stem}").place(Item("talk", PurePath("talk")), "srt", ".srt")


def test_the_root_of_a_disk_has_no_name():
    items = [Item("/", PurePath()), Item(".", PurePath())]
    files = OutputNames("out", items, SRT, apart=True)
    assert len({files[item.source]["srt"] for item in items}) == 2


def test_a_hundred_thousand_are_no_matter():
    """Each is looked at a few times: it takes seconds; if each met each it would take a day."""
    places = [f"{n // 500}/{n}.wav" for n in range(100_000)]
    assert len(names(*places)) == 100_000


@pytest.mark.parametrize("template", ["{stem:d}.{ext}", "{stem!x}.{ext}", "{stem:{ext}}"])
def test_fields_are_names_alone(template):
    with pytest.raises(UsageError, match="fields are names alone"):
        NameTemplate(template)


@pytest.mark.parametrize("apart", [True, False])
def test_names_that_are_too_long_are_refused(apart):
    with pytest.raises(UsageError, match="too long for a file"):
        names("x" * 252 + ".wav", apart=apart)


def test_parts_of_one_recording_have_names_apart():
    items = [
        Item(f"talk.v2.wav#t={start},9.5", PurePath(f"talk.v2.{start}0-9.50.wav"))
        for start in ("3.5", "3.9")
    ]
    files = OutputNames("out", items, SRT, apart=True)
    assert [files[item.source]["srt"].name for item in items] == [
        *("talk.v2.3.50-9.50.srt", "talk.v2.3.90-9.50.srt"),
    ]


def test_parts_that_begin_within_a_hundredth_have_names_apart():
    places = [
        part_place(PurePath("talk.wav"), RecordingPart("talk.wav", start, 2.0)).name
        for start in (1.001, 1.004, 1.0)
    ]
    assert places == ["talk.1.001-2.00.wav", "talk.1.004-2.00.wav", "talk.1.00-2.00.wav"]


def test_a_signature_is_not_part_of_an_address_s_name():
    assert place_in_list("https://h/a/talk.wav?X-Sig=ab/c.d#t") == PurePath("h/a/talk.wav")
    assert place_in_list("https://h/get?id=7") == PurePath("h/get/id=7")
