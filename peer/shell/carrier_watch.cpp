#include "peer/shell/carrier_watch.hpp"

#include <algorithm>

namespace ppsp::peer {

char const* to_text(Carrier carrier)
{
    switch (carrier) {
    case Carrier::peers:
        return "peers";
    case Carrier::cache:
        return "cache";
    case Carrier::cdn:
        return "CDN";
    case Carrier::none:
        break;
    }
    return "";
}

std::optional<std::string> CarrierWatch::observe(TimePoint now, SwarmStatistics const& figures)
{
    if (!samples_.empty() && now - samples_.back().at < spacing_min) {
        return std::nullopt;
    }
    samples_.push_back({now, figures.from_source_bytes + figures.from_peers_bytes,
                        figures.from_cache_bytes, figures.from_cdn_bytes});
    while (samples_.size() > 1 && now - samples_[1].at >= window) {
        samples_.pop_front();
    }
    if (now - samples_.front().at < window) {
        return std::nullopt;
    }
    Carrier const before = carrier_;
    carrier_ = judge(samples_.front(), samples_.back());
    if (carrier_ == before) {
        return std::nullopt;
    }
    if (carrier_ == Carrier::peers) {
        // That peers carry the picture from the start is no news.
        return before == Carrier::none
                   ? std::nullopt
                   : std::optional<std::string>{"peers carry the picture again"};
    }
    std::string const& cause = figures.last_rescue_cause;
    return std::string{"living from the "} + to_text(carrier_) +
           (cause.empty() ? std::string{} : ": " + cause);
}

Carrier CarrierWatch::judge(Sample const& from, Sample const& to) const
{
    std::uint64_t const peers = to.peers - from.peers;
    std::uint64_t const cache = to.cache - from.cache;
    std::uint64_t const cdn = to.cdn - from.cdn;
    std::uint64_t const all = peers + cache + cdn;
    if (all == 0) {
        return carrier_;
    }
    Carrier const storage = cdn > cache ? Carrier::cdn : Carrier::cache;
    if (carrier_ == Carrier::none || carrier_ == Carrier::peers) {
        return 2 * (cache + cdn) > all ? storage : Carrier::peers;
    }
    if (4 * peers > 3 * all) {
        return Carrier::peers;
    }
    return 4 * std::max(cache, cdn) > 3 * all ? storage : carrier_;
}

} // namespace ppsp::peer
