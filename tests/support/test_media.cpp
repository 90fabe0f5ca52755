#include "tests/support/test_media.hpp"

namespace ppsp::test {

ByteVector TestMedia::next_unit(bool key_frame, bool& random_access)
{
    auto const add = [this](ByteVector const& packet) {
        waiting_.insert(waiting_.end(), packet.begin(), packet.end());
    };
    random_access = key_frame;
    if (key_frame) {
        add(ts_.pat());
        add(ts_.pmt(0x1b));
    }
    add(ts_.video(key_frame));
    while (waiting_.size() < unit_bytes_) {
        add(ts_.video_rest());
    }
    ByteVector unit(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(unit_bytes_));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(unit_bytes_));
    return unit;
}

} // namespace ppsp::test
