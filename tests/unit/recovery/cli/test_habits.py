"""Words and options of other tools, and what a slip is answered with."""

import re
import shlex
from typing import Final

import pytest

from recovery.cli.habits import ADVICE, SYNONYMS, in_our_words, with_our_options
from recovery.cli.parser import parse_arguments, understand
from recovery.cli.plain import VALUED
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS
from recovery.cli.words import HelpAskedError
from tests.support.hints import whole_parser

ID: Final = "08371db1dd8c8000"

MEANT: Final = {
    "recovery auth list": "auth list",
    "recovery user update --username a --password b": "user update --username a --password b",
    "recovery auth create-operator --org o --username u --store-token-hashes": (
        "auth create-operator --org o --username u --hashed"
    ),
    "auth create -o o -u u -d text --all-access": (
        "auth create --org o --user u --description text --all-access"
    ),
    f"auth create --org-id {ID} --read-user": f"auth create --org {ID} --read-users",
    "auth create -o=o --operator": "auth create --org=o --operator",
    "auth create-operator --user u": "auth create-operator --username u",
    "auth find -u u": "auth list --user u",
    f"auth ls --user-id {ID}": f"auth list --user {ID}",
    f"auth active -i {ID}": f"auth set-active {ID}",
    f"auth activate {ID}": f"auth set-active {ID}",
    f"auth deactivate --id {ID}": f"auth set-inactive {ID}",
    f"auth inactive -i={ID}": f"auth set-inactive {ID}",
    f"token delete --id {ID} --yes": f"auth delete {ID} --yes",
    f"authorization rm {ID}": f"auth delete {ID}",
    "v1 auth ls": "v1-auth list",
    "v1 auth set-active --username n": "v1-auth set-active n",
    f"v1 auth delete --id {ID}": f"v1-auth delete {ID}",
    "user password -n n": "user update --username n",
    f"user password -i {ID}": f"user update --id {ID}",
    "user passwd n": "user update --username n",
    "passwd n": "user update --username n",
    "user reset-password --user n": "user update --username n",
    "user show n": "user show --username n",
    f"user update -i {ID} -n new": f"user rename --id {ID} --new-name new",
    "user create -n n -p p -o o": "user create --username n --password p --member-of o",
    f"user delete -i {ID}": f"user delete --id {ID}",
    "user set-inactive n": "user deactivate --username n",
    "org create -n n -d text": "org create --org n --description text",
    "organization create n": "org create --org n",
    f"org update -i {ID} -n new": f"org rename --org {ID} --new-name new",
    f"org members add -m {ID} -n o": f"org add-member --username {ID} --org o",
    f"org members add -m {ID} -n o --owner": f"org add-owner --username {ID} --org o",
    f"org members remove --member {ID} -i {ID}": f"org remove-member --username {ID} --org {ID}",
    "auth create --org o --operator --token-file -": "auth create --org o --operator "
    "--token-stdout",
    "help": "--help",
    "version": "--version",
    "v1 auth create --username x --read-bucket b -o o": "v1-auth create x --read-bucket b --org o",
    "v1 auth create x --username u --read-bucket b": (
        "v1-auth create x --username u --read-bucket b"
    ),
    f"bucket update -i {ID} -n new": f"bucket rename --name {ID} --new-name new",
    f"bucket update --id {ID} --name new": f"bucket rename --name {ID} --new-name new",
    f"bucket update --name=new -i {ID}": f"bucket rename --name {ID} --new-name new",
    f"bucket update --id {ID} -r 30d": f"bucket update --name {ID} --retention 30d",
    f"bucket delete -i {ID}": f"bucket delete --name {ID}",
    "bucket create --bucket b -o o": "bucket create --name b --org o",
    "bucket rename -b b -n new": "bucket rename --name b --new-name new",
    "-V": "--version",
    "store backup -o x": "store backup x",
    "organisation list": "org list",
    "authorisations list --organisation o": "auth list --org o",
    "user list n": "user list --name n",
    "v1 auth list n": "v1-auth list --username n",
    "v1 auth set-password --username n --password p": "v1-auth set-password n --password p",
    "org member add -o o -m u": "org add-member --org o --username u",
    "org member list": "org list",
    "org update --name o --description text": "org update --org o --description text",
    "org update -n o -d text": "org update --org o --description text",
    "user update --name n --password p": "user update --username n --password p",
    "user update -n n --password-file=p": "user update --username n --password-file p",
    "store salvage --output=x": "store salvage x",
    "store export --out x": "store export x",
}


def values(line: str) -> dict[str, object]:
    """Understand a line, and return all that it says."""
    arguments, _ = understand(shlex.split(line))
    return vars(arguments)


@pytest.mark.parametrize(
    ("typed", "ours"), [(typed, ours) for typed, ours in MEANT.items() if "--help" not in ours]
)
def test_what_other_tools_are_told_means_the_same_here(typed: str, ours: str) -> None:
    assert values(ours) == values(typed)


@pytest.mark.parametrize(
    "line",
    [
        *("help", "help auth create", "auth help", "--help auth list", "auth -h list", "-h user"),
        *("auth list --help x", "--help --json"),
    ],
)
def test_help_is_a_word_too_and_may_stand_in_front(line: str) -> None:
    with pytest.raises(HelpAskedError) as asked:
        understand(line.split())
    words = [word for word in line.split() if word.strip("-") not in {"help", "h", "x", "json"}]
    assert asked.value.parser.prog == " ".join(["influx-recovery", *words])


def test_each_habit_means_a_command_and_none_hides_one() -> None:
    assert set(SYNONYMS.values()) <= set(COMMANDS)
    own = {words for words, ours in SYNONYMS.items() if words in COMMANDS and words != ours}
    assert own == set()
    assert not set(ADVICE) & set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("auth list --host http://x", "for a running server"),
        ("auth list -t token", "for a running server"),
        (
            "auth list --host=h --json --token t --skip-verify",
            "--host, --token and --skip-verify are for a running server",
        ),
        ("auth list -c config", "for a running server"),
        ("auth list --http-bind-address :8086", "an option of influxd"),
        ("store check --engine-path /srv/engine", "an option of influxd"),
        ("auth create-operator --use-hashed-tokens", "an option of influxd"),
        ("auth create -o a --org b", "say the same"),
        ("user delete alice --username bob", "say the same"),
        ("user delete --username alice bob", "takes no further word beside --username"),
        ("user delete alice bob", "takes no further word beside --username"),
        ("bucket rename a b c", "takes no further word beside --name and --new-name"),
        ("auth create --org-id acme", "no ID"),
        ("auth list -o json", "names an organization"),
        ("store backup -o json", "names the new file"),
        ("store check -o json", "unknown option '-o'"),
    ],
)
def test_what_means_nothing_on_a_file_gets_a_sentence(line: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        understand(line.split())
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("auth verify --token s3cret", "type the token when it is asked for, or give --token-file"),
        ("auth verify -t s3cret", "leave -t out; type the token when it is asked for"),
        ("auth create --token s3cret", "leave --token out; --token-value-file FILE gives the new"),
        ("setup -t s3cret", "leave -t out; --token-file PATH is the new file for the new token"),
        ("auth list --token s3cret", "leave --token out; --bolt-path FILE names the store"),
        ("store check --engine-path=/e", "leave --engine-path out; the variable INFLUXD_ENGINE_PA"),
        ("serve --http-bind-address :1", "did you mean --listen?"),
        ("auth list --dry-run", "type influx-recovery auth list --help"),
        ("auth show --description x", "type influx-recovery auth show --help"),
        ("store check --only I22", "it belongs to influx-recovery store repair"),
        ("store backups prun", "type influx-recovery store backups prune"),
    ],
)
def test_what_there_is_in_place_of_an_option_is_said(line: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        understand(line.split())
    assert hint in str(refused.value.hint)


@pytest.mark.parametrize(
    "line",
    [
        f"org update -i {ID} -n new -d text",
        "org rename --org o --new-name new --description=text --yes",
        f"bucket update --id {ID} --name new -r 30d -d text",
        "bucket rename --bolt-path f b new -r 30d",
    ],
)
def test_a_new_name_with_another_change_is_answered_with_both_commands(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        understand(line.split())
    update, rename = (
        str(refused.value.hint).removeprefix("type influx-recovery ").split(" and then ")
    )
    changed = vars(understand(update.split())[0])
    assert changed["description"] or changed["retention"]
    assert "new" not in changed.values()
    renamed = vars(understand(rename.split()[1:])[0])
    assert renamed["new_name"] == "new"
    shared = {"org", "name", "bolt_path", "yes"} & renamed.keys()
    assert {name: renamed[name] for name in shared} == {name: changed[name] for name in shared}


@pytest.mark.parametrize(
    "line",
    [
        f"user update -i {ID} -n new -p hunter22hunter",
        f"user update -phunter22hunter --name=new --id={ID}",
        f"user update --user-id {ID} --password=hunter22hunter -n new",
        f"user update --id {ID} -n new --password-file /hunter",
    ],
)
def test_a_new_name_with_a_new_password_is_answered_with_both_commands(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        understand(line.split())
    hint = str(refused.value.hint)
    assert "hunter22" not in f"{refused.value} {hint}"
    assert (", which asks for the password, " in hint) is ("--password-file" not in line)
    update, rename = (
        hint.replace(", which asks for the password,", "")
        .removeprefix("type influx-recovery ")
        .split(" and then influx-recovery ")
    )
    changed = vars(understand(update.split())[0])
    assert (changed["words"], changed["id"]) == ("user update", ID)
    renamed = vars(understand(rename.split())[0])
    assert (renamed["words"], renamed["id"]) == ("user rename", ID)
    assert renamed["new_name"] == "new"


@pytest.mark.parametrize("words", ADVICE)
def test_a_word_of_two_meanings_is_answered_with_what_can_be_typed(words: str) -> None:
    with pytest.raises(UsageError) as refused:
        understand(words.split())
    assert refused.value.hint == ADVICE[words]


OPTIONS: Final = {
    "auth create": """operator all-access org user description read-bucket write-bucket read-buckets
        write-buckets read-tasks write-tasks read-user write-user read-orgs write-orgs yes hashed
        raw token-file permissions store-token-hashes username""",
    "auth create-operator": "org username store-token-hashes bolt-path yes token-stdout",
    "auth list": "operators user org show-tokens json bolt-path",
    "user update": "username password bolt-path id activate",
    "user create": "username password no-password owner-of member-of",
    "user delete": "with-tokens id username",
    "org create": "org owner bolt-path",
}
VERBS: Final = (
    "auth list", "auth create-operator", "auth create", "auth set-active", "auth set-inactive",
    "auth delete", "auth active", "auth inactive", "user activate", "user deactivate",
    "user update", "user delete", "user create", "org create", "org add-owner", "org add-member",
    "org remove-member", "v1-auth set-active", "v1-auth set-inactive", "store undo",
)  # fmt: skip
OPPOSITES: Final = (
    "auth reactivate", "auth inactivate", "auth unset-active", "auth set-nactive", "auth nactive",
    "auth disactivate", "auth undelete", "user undelete", "user inactivate", "user unactivate",
    "user deactivated", "auth un-revoke", "auth set-in-active", "org remove-owners", "org add",
    "user undeactivate", "auth uncreate", "store undelete", "auth stop", "auth block", "auth lock",
    "auth unlock", "user ban", "user block", "auth create-admin", "auth create-all-access",
)  # fmt: skip
OF_OTHERS: Final = (
    "auth create --admin|auth create --root|auth create --superuser|auth create --full|"
    "auth create --all|auth create --everything|auth create --write|auth create --read|"
    "auth create --read-only|auth create --readonly|auth create --write-bukets|"
    "auth create --read-bukets|auth create --readuser|auth create --no-operator|"
    "auth create --not-operator|auth create --without-operator|auth create --y|"
    "auth create --ye|auth create -f|auth delete --all|auth delete --everything|auth delete -y|"
    "auth hash --al|auth hash --everything|store repair --yess|store repair --all|"
    "store repair --no-dry-run|store undo -f|auth list --show-token|auth list --tokens|"
    "auth list --reveal|auth list --no-redact|auth list --hide-tokens|auth list --hide-token|"
    "auth unactive|auth set-inactiv|auth deactive|auth block|auth lock|auth suspend|user lock|"
    "user unlock|user ban|user sperren|user bloquear|user entsperren|user supprimer|"
    "user löschen|user anlegen|user crear|user passwort|user contraseña|auth deaktivieren|"
    "auth aktivieren|auth désactiver|auth desactivar|auth activar|auth unrevoke|auth unblock|"
    "auth reinstate|auth inactivar|auth borrar|auth crear|auth erstellen|list auth|create user|"
    "delete auth|unlock user|lock user|revoke token|stop auth|reset password|nuevo auth|"
    "/help x|auth=list x|auth:list x|auth/list x|auth-list x|AUTH LIST|"
    "auth \u2013org|auth \u201clist\u201d|"
    "$ influx|sudo influx|# influx|influxd recovery|user create --pass|user create --usrname|"
    "user update --pasword|user delete --with-token|user delete --tokens|"
    "user delete --keep-tokens|org remove-membre|org unadd-member|org add-membre|org add-ower|"
    "org make-owner|store undoo|store un-do|store redo|store backups prunee|"
    "store compact --force|store restore --yes"
)
"""Of other programs, other languages and web pages; in the wrong order, number and case."""


def slips(word: str) -> list[str]:
    """Mistype a word: a letter too few, two swapped, one doubled, cut short, one too many."""
    middle = len(word) // 2
    return [
        word[: middle - 1] + word[middle:],
        word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
        word[:middle] + word[middle - 1 :],
        word[:-1],
        word + "s",
    ]


def typos() -> list[str]:
    """Make the list: slips in real flags and verbs, one-letter options, and words of the trade."""
    flags = [
        f"{command} --{slip} x"
        for command, names in OPTIONS.items()
        for name in names.split()
        for slip in slips(name)[:3]
    ]
    verbs = [f"{line.split()[0]} {slip}" for line in VERBS for slip in slips(line.split()[1])]
    letters = [f"{command} -{letter} x" for command in OPTIONS for letter in "aOyxzwfsS"]
    return list(dict.fromkeys([*flags, *verbs, *letters, *OPPOSITES, *OF_OTHERS.split("|")]))


GRANTING: Final = re.compile(
    r"did you mean (--operator|--all-access|--yes|--activate|--show-tokens|--with-tokens|--owner"
    r"|--owner-of|--token-stdout|--no-password)\?"
)
SENSE: Final = {
    "no": re.compile(r"inact|d[eé]sact|deact|disab|nact|disact|undeact|set-in|unset|stop|ban|lock"),
    "yes": re.compile(r"set-active|user activate|create-operator|add-owner"),
}


def test_the_list_of_typos_is_long_enough() -> None:
    assert len(typos()) >= 200


def answer_to(line: str) -> str:
    """Say what is answered: the hint, or the command where it happens to be a known word."""
    argv = in_our_words(line.split(), VALUED)
    words = " ".join(argv[:2])
    try:
        if words in COMMANDS:
            argv = with_our_options(argv, words, whole_parser().command(words))
        parse_arguments(argv, whole_parser())
    except UsageError as refused:
        return str(refused.hint)
    return words


@pytest.mark.parametrize("line", typos())
def test_no_slip_is_answered_with_more_rights_or_the_opposite(line: str) -> None:
    hint = answer_to(line)
    assert not GRANTING.search(str(hint)), hint
    typed = line.split()[1]
    if SENSE["no"].search(typed):
        assert not SENSE["yes"].search(str(hint)), hint
    if re.search(r"active|activate", typed) and not SENSE["no"].search(typed):
        assert "inactive" not in str(hint), hint
        assert "deactivate" not in str(hint), hint
    if typed.startswith(("un", "add-m", "remove")):
        assert re.search(r"\bdelete\b", str(hint)) is None, hint
        assert "add-owner" not in str(hint), hint
    asked = re.search(r"--(read|write)-(\w+)", line)
    answer = re.search(r"did you mean (--\S+)\?", str(hint))
    if answer and "--read-" in answer[1] + "--write-":
        assert asked is None or answer[1].startswith(f"--{asked[1]}-")


def test_nothing_is_translated_in_a_line_of_our_own_words() -> None:
    line = ["--reason", "recovery", "auth", "create", "--org", "help", "--read-bucket", "version"]
    whole = vars(parse_arguments(line, whole_parser()))
    assert vars(understand(line)[0]) == whole
