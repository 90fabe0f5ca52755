#include "peer/ingest/interleaver.hpp"

#include <algorithm>

namespace ppsp::ingest {

void Interleaver::push(PacketPtr packet)
{
    int const stream = packet->stream_index;
    queues_[stream].push_back(std::move(packet));
    ++held_;
}

PacketPtr Interleaver::pop(bool flush)
{
    bool const must = flush || held_ > held_max;
    if (held_ == 0 || (!must && queues_.size() < streams_)) {
        return nullptr;
    }
    auto const lowest =
        std::min_element(queues_.begin(), queues_.end(), [](auto const& a, auto const& b) {
            return a.second.front()->dts < b.second.front()->dts;
        });
    PacketPtr packet = std::move(lowest->second.front());
    lowest->second.pop_front();
    --held_;
    if (lowest->second.empty()) {
        queues_.erase(lowest);
    }
    return packet;
}

} // namespace ppsp::ingest
