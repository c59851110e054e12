from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from gateway.errors import ConfigurationError
from gateway.settings import StoreSettings
from gateway.store.seal import KEY_FILE, Seal, SealedElsewhere, load_seal

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_sealed_opens_with_the_key_alone() -> None:
    kept = Seal([OLD]).close("JBSWY3DP")
    assert "JBSWY3DP" not in kept
    assert Seal([OLD]).open(kept) == "JBSWY3DP"
    for other in (Seal([NEW]), Seal()):
        with pytest.raises(SealedElsewhere, match="STOPGATE_STORE__SECRET_KEYS"):
            other.open(kept)
    with pytest.raises(SealedElsewhere):
        Seal([OLD]).open(kept[:-4] + "AAAA")


def test_rows_from_before_there_were_keys_are_read_as_they_are() -> None:
    assert Seal([OLD]).open("JBSWY3DP") == "JBSWY3DP"
    assert not Seal([OLD]).is_fresh("JBSWY3DP")
    assert Seal().is_fresh("JBSWY3DP")
    assert Seal().close("JBSWY3DP") == "JBSWY3DP"


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    kept, rotated = Seal([OLD]).close("x"), Seal([NEW, OLD])
    assert rotated.open(kept) == "x"
    assert not rotated.is_fresh(kept)
    again = rotated.close(rotated.open(kept))
    assert rotated.is_fresh(again)
    assert Seal([NEW]).open(again) == "x"


def test_a_key_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="STOPGATE_STORE__SECRET_KEYS"):
        load_seal(StoreSettings(secret_keys=SecretStr("short")), Path())


def test_a_local_database_gets_a_key_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(lambda _: load_seal(StoreSettings(), tmp_path), range(8)))
    kept = seals[0].close("x")
    assert {seal.open(kept) for seal in seals} == {"x"}
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


def test_a_database_elsewhere_is_sealed_by_keys_that_were_set_and_by_no_other(tmp_path: Path) -> None:
    elsewhere = StoreSettings(database_url=SecretStr("postgresql://db/stopgate"))
    assert load_seal(elsewhere, tmp_path).is_plain
    assert not (tmp_path / KEY_FILE).exists()
    set_ = elsewhere.model_copy(update={"secret_keys": SecretStr(f"{NEW} {OLD}")})
    assert load_seal(set_, tmp_path).open(Seal([OLD]).close("x")) == "x"
