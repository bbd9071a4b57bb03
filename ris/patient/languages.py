"""Languages as senders write them and as people here call them."""

_SPOKEN = """
aa aar Afar|af afr Afrikaans|ak aka Akan|am amh Amharic|ar ara Arabic|az aze Azerbaijani|be bel Belarusian|bg bul Bulgarian|bn ben Bengali
bs bos Bosnian|ca cat Catalan|cs ces/cze Czech|cy cym/wel Welsh|da dan Danish|de deu/ger German|el ell/gre Greek|en eng English
es spa Spanish|et est Estonian|eu eus/baq Basque|fa fas/per Persian|fi fin Finnish|fr fra/fre French|ga gle Irish|gl glg Galician
gu guj Gujarati|ha hau Hausa|he heb Hebrew|hi hin Hindi|hr hrv Croatian|ht hat Haitian Creole|hu hun Hungarian|hy hye/arm Armenian
id ind Indonesian|ig ibo Igbo|is isl/ice Icelandic|it ita Italian|ja jpn Japanese|ka kat/geo Georgian|kk kaz Kazakh|km khm Khmer
kn kan Kannada|ko kor Korean|ku kur Kurdish|ky kir Kyrgyz|lo lao Lao|lt lit Lithuanian|lv lav Latvian|mg mlg Malagasy
mk mkd/mac Macedonian|ml mal Malayalam|mn mon Mongolian|mr mar Marathi|ms msa/may Malay|mt mlt Maltese|my mya/bur Burmese|nb nob Norwegian
ne nep Nepali|nl nld/dut Dutch|no nor Norwegian|om orm Oromo|pa pan Punjabi|pl pol Polish|ps pus Pashto|pt por Portuguese
ro ron/rum Romanian|ru rus Russian|rw kin Kinyarwanda|sk slk/slo Slovak|sl slv Slovenian|so som Somali|sq sqi/alb Albanian|sr srp Serbian
sv swe Swedish|sw swa Swahili|ta tam Tamil|te tel Telugu|tg tgk Tajik|th tha Thai|ti tir Tigrinya|tl tgl Tagalog|tr tur Turkish
uk ukr Ukrainian|ur urd Urdu|uz uzb Uzbek|vi vie Vietnamese|wo wol Wolof|yi yid Yiddish|yo yor Yoruba|zh zho/chi Chinese
cmn cmn Mandarin|yue yue Cantonese|ase ase American Sign Language|sgn sgn Sign language
"""
"""ISO 639-1, ISO 639-2 (both kinds) and the English name; the last two lines' codes are of ISO 639-3 and 639-2."""


def _rows() -> list[tuple[str, str, str]]:
    rows = [entry.split(" ", 2) for line in _SPOKEN.strip().splitlines() for entry in line.split("|")]
    return [(short, long, name) for short, long, name in rows]


NAMES = {short: name for short, _, name in _rows()}
"""Code to English name."""
_CODES = {
    **{code: short for short, long, _ in _rows() for code in (short, *long.split("/"))},
    **{name.casefold(): short for short, _, name in reversed(_rows())},
}


def code_of(said: str) -> str:
    """The shortest ISO 639 code of what somebody wrote: `es`, `spa`, `es-MX`, `Spanish`; empty where it is none."""
    plain = said.strip().casefold()
    return _CODES.get(plain) or _CODES.get(plain.replace("_", "-").partition("-")[0], "")
