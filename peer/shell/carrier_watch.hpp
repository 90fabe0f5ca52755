#pragma once

#include "peer/engine/statistics.hpp"

#include <deque>

namespace ppsp::peer {

/// Who brings most of the media.
enum class Carrier : std::uint8_t { none, peers, cache, cdn };

/// As people read it; empty for `none`.
[[nodiscard]] char const* to_text(Carrier carrier);

/// Says when a viewer begins to live from caches or CDN, and when peers carry the picture again.
/// Storage takes over with more than half of what came in the last `window`; peers, and one kind of
/// storage from the other, with more than three quarters: a share near one half is told once.
class CarrierWatch {
public:
    static constexpr Duration window = std::chrono::seconds{3};
    /// Calls that come closer together are not looked at, so few samples fill the window.
    static constexpr Duration spacing_min = std::chrono::milliseconds{250};

    /// To be called about once a second; a sentence for people when the carrier has changed.
    [[nodiscard]] std::optional<std::string> observe(TimePoint now, SwarmStatistics const& figures);
    [[nodiscard]] Carrier carrier() const { return carrier_; }

private:
    struct Sample {
        TimePoint at;
        std::uint64_t peers = 0; ///< source included
        std::uint64_t cache = 0;
        std::uint64_t cdn = 0;
    };

    /// Who carries by what came between two samples.
    [[nodiscard]] Carrier judge(Sample const& from, Sample const& to) const;

    std::deque<Sample> samples_; ///< the first is a window old, if there is one that old
    Carrier carrier_ = Carrier::none;
};

} // namespace ppsp::peer
