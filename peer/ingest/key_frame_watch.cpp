#include "peer/ingest/key_frame_watch.hpp"

#include <utility>

namespace ppsp::ingest {

std::optional<std::string> KeyFrameWatch::note(Ticks dts, bool is_key)
{
    auto const last = last_key_;
    if (is_key) {
        last_key_ = dts;
    }
    if (warned_ || !last) {
        return std::nullopt;
    }
    Ticks const distance = dts - *last;
    // Half a frame of tolerance: key frames every 2 s are fine.
    bool const is_long = distance > interval_max + ticks_per_second / 100;
    if (!is_long || (!is_key && distance < patience)) {
        return std::nullopt;
    }
    warned_ = true;
    std::string const seconds =
        std::to_string((distance + ticks_per_second - 1) / ticks_per_second) + " s";
    return "key frames are up to " + seconds + " apart: viewers wait up to " + seconds +
           " for a picture; --encode fixes it, or a shorter key frame interval in the encoder";
}

} // namespace ppsp::ingest
