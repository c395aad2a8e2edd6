"""The page of messages is what the tables give."""

from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.wire.describe import PAGE, page
from core.ykc.messages import MESSAGES as YKC_MESSAGES


def test_page_is_what_the_tables_give() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m core.wire.describe"


def test_page_names_every_message_and_every_field() -> None:
    text = page()
    for form, messages in (("0x{:02X}", YKC_MESSAGES), ("{}", AAF5_MESSAGES)):
        for message in messages.values():
            begin = text.index(f"\n### {form.format(message.type)} {message.name}")
            section = text[begin : text.find("\n### ", begin + 1)]
            for field in (*message.all_fields, *message.group):
                assert f"| {field.offset} | {field.length} | {field.name} |" in section, message.name


def test_messages_that_came_later_say_so() -> None:
    later = {message.type for message in YKC_MESSAGES.values() if message.since == "1.6"}
    assert later == {0xA1, 0xA2, 0xA3, 0xA4}
    assert page().count("since V1.6") == 4
