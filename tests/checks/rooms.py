"""Which room belongs to which library, as the CMakeLists say it, and which arrows are allowed."""

import re

import checklib

# library -> libraries whose headers it may include. protocol <- engine <- peer <- player and
# protocol <- tracker_core <- tracker; shells may use net.
ALLOWED = {
    "protocol": set(),
    "net": {"protocol"},
    "engine": {"protocol"},
    "peer": {"engine", "net", "protocol"},
    "player": {"peer", "engine", "net", "protocol"},
    "tracker_core": {"protocol"},
    "tracker": {"tracker_core", "net", "protocol"},
}
# Where a room stands that no library lists: programs and tools at the top of their folder.
TOP_OF_FOLDER = {"protocol": "net", "peer": "peer", "tracker": "tracker", "player": "player"}
# Asio and coroutines live here only (and in the player).
SHELL = re.compile(r"^(protocol/net|(peer|tracker|player)/shell)$")

# Files of pure rooms that do touch the system, each the only one of its room and for shells to call:
# pure code may not include their headers. Everything else about the room stays pure.
SYSTEM_STEMS = {
    "protocol/integrity/key_file",  # private keys on disk
}


def libraries_by_room(root):
    """{"protocol/wire": "protocol", ...} from the ppsp_library calls."""
    rooms = {}
    for folder in checklib.SOURCE_FOLDERS:
        cmake = root / folder / "CMakeLists.txt"
        text = cmake.read_text() if cmake.exists() else ""
        text = re.sub(r"#[^\n]*", "", text)
        for name, listed in re.findall(r"ppsp_library\(\s*(\w+)\s+ROOMS\s+([^)]*?)\s*(?:LINK[^)]*)?\)",
                                       text):
            for room in listed.split():
                rooms[f"{folder}/{room}"] = name
    return rooms


def library_of(name, by_room):
    """The library that a source or header belongs to; what no listed library has goes with the
    top of its folder, public headers too.
    """
    library = by_room.get(checklib.room_of(name))
    return library if library in ALLOWED else TOP_OF_FOLDER[name.split("/")[0]]


def is_system_file(name):
    return name.rsplit(".", 1)[0] in SYSTEM_STEMS


def is_pure(name, by_room):
    return library_of(name, by_room) in ("protocol", "engine", "tracker_core") \
        and not is_system_file(name)
