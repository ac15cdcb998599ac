"""The words of notices: one file for the SMS and one for the e-mail in each language, beside this module."""

from functools import cache
from importlib.resources import files

from proviso.domain.errors import ConfigurationFault
from proviso.domain.wording import LANGUAGES, Wording


@cache
def wording(language: str) -> Wording:
    """The words of one language. ConfigurationFault names the file and what is wrong in it."""
    if language not in LANGUAGES:
        raise ConfigurationFault(f"there are no notices in {language!r}; there are {', '.join(LANGUAGES)}")
    folder = files(__package__) / language
    try:
        sms, email = ((folder / name).read_text("utf-8") for name in ("sms.txt", "email.txt"))
    except OSError as error:
        raise ConfigurationFault(f"notices/{language}: a file is missing ({type(error).__name__})") from error
    try:
        return Wording.parse(sms, email)
    except ValueError as error:
        raise ConfigurationFault(f"notices/{language}: {error}") from error


def all_wordings() -> dict[str, Wording]:
    """The words of every language."""
    return {language: wording(language) for language in LANGUAGES}
