#include "peer/shell/unit_feed.hpp"

namespace ppsp::peer {

void UnitFeed::set_rate(std::uint64_t rate_bps)
{
    options_.rate_bps = rate_bps;
}

void UnitFeed::append(TimePoint now, Bytes ts)
{
    if (chunker_) {
        chunker_->append(now, ts);
        return;
    }
    if (!first_data_) {
        first_data_ = now;
    }
    measured_.insert(measured_.end(), ts.begin(), ts.end());
    bool const is_known = options_.chunks_per_unit != 0 || options_.rate_bps.has_value();
    if (is_known || now - *first_data_ >= options_.measure_time ||
        measured_.size() >= options_.measure_bytes_max) {
        begin(now);
    }
}

void UnitFeed::finish(TimePoint now)
{
    if (!chunker_ && !measured_.empty()) {
        begin(now);
    }
    if (chunker_) {
        chunker_->finish();
    }
}

std::optional<CutUnit> UnitFeed::poll(TimePoint now)
{
    return chunker_ ? chunker_->poll(now) : std::nullopt;
}

std::optional<TimePoint> UnitFeed::deadline() const
{
    return chunker_ ? chunker_->deadline() : std::nullopt;
}

ChunkId UnitFeed::next_chunk() const
{
    return chunker_ ? chunker_->next_chunk() : options_.next;
}

void UnitFeed::begin(TimePoint now)
{
    std::uint64_t const rate = options_.rate_bps ? *options_.rate_bps : measured_bps(now);
    std::size_t const chunks = options_.chunks_per_unit != 0
                                   ? options_.chunks_per_unit
                                   : choose_chunks_per_unit(rate, options_.unit_time);
    chosen_ =
        Chosen{static_cast<std::uint32_t>(chunks), restart_chunk(options_.next, chunks),
               options_.chunks_per_unit != 0 && !options_.rate_bps ? options_.unit_time
                                                                   : unit_duration(chunks, rate)};
    chunker_.emplace(ChunkerConfig{chunks, chosen_->first, chosen_->unit_duration});
    chunker_->append(now, measured_);
    measured_ = {};
}

std::uint64_t UnitFeed::measured_bps(TimePoint now) const
{
    // A stream shorter than that has no rate worth the name; the nominal time bounds the error.
    Duration const span = std::max(now - *first_data_, Duration{options_.measure_time / 4});
    return measured_.size() * 8 * 1'000'000 / static_cast<std::uint64_t>(span.count());
}

} // namespace ppsp::peer
