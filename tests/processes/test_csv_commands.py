"""CSV files as an operator takes them in and out."""

from pathlib import Path

from tests.processes.command_line import typed


def test_a_file_is_looked_at_taken_in_and_written_again(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "materials.csv"
    file.write_text("code,name,kind,unit\nSALINE,Saline,supply,\n")
    wrong = typed(installed, "import-csv", "material", str(file), "--apply")
    assert wrong.exit_code == 1
    assert "line 2, unit: is empty: write at most 20 characters" in wrong.output
    assert "nothing is taken in while a line is wrong" in wrong.output
    file.write_text("code,name,kind,unit\nSALINE,Saline,supply,ml\n")
    assert "1 lines: 1 new; nothing is changed yet: --apply takes it in" in typed(
        installed, "import-csv", "material", str(file)
    ).output.replace("\n", " ")
    assert "it is taken in" in typed(installed, "import-csv", "material", str(file), "--apply").output
    file.write_text("code,name\nSALINE,Saline 0.9 %\n")
    assert "line 2: SALINE: name Saline -> Saline 0.9 %" in typed(installed, "import-csv", "material", str(file)).output
    assert typed(installed, "export-csv", "material").output == (
        "code,name,kind,unit,charge_code,charge_amount,active\nSALINE,Saline,supply,ml,,,yes\n"
    )
    assert "kind: one of contrast, medication, tracer, supply" in typed(installed, "columns-csv", "material").output
