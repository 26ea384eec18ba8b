"""The places to look, taken out of a call's arguments."""

from __future__ import annotations

from w2v_cli.checkpoint.options import HubOptions


def test_options_are_taken_out_and_the_rest_stays():
    kwargs = {"revision": "v2", "token": False, "subfolder": "x", "vocab_size": 3}
    assert HubOptions.take_from(kwargs) == HubOptions(revision="v2", token=False, subfolder="x")
    assert kwargs == {"vocab_size": 3}


def test_none_is_the_default():
    names = ("revision", "cache_dir", "token", "local_files_only", "force_download", "subfolder")
    kwargs = dict.fromkeys(names)
    assert HubOptions.take_from(kwargs) == HubOptions()
    assert kwargs == {}


def test_names_of_older_code_are_dropped():
    kwargs = {"resume_download": True, "proxies": {}, "trust_remote_code": False, "_from_auto": 1}
    assert HubOptions.take_from(kwargs) == HubOptions()
    assert kwargs == {}
