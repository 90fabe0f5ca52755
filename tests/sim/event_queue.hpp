#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>
#include <vector>

namespace ppsp::sim {

enum class EventKind : std::uint8_t {
    arrival, ///< a datagram reaches the receiver's access link
    turn,    ///< a node looks at what came and what is due
    script,  ///< anything rarer
};

/// What happens next, and to whom. `subject` and `detail` are numbers of nodes, datagrams, scripts.
struct SimEvent {
    TimePoint at;
    std::uint64_t number = 0;
    std::uint32_t subject = 0;
    std::uint32_t detail = 0;
    EventKind kind{};
};

/// Total order: by time, then by the order in which events were added. A 4-ary heap: half the depth
/// of a binary one, and the four children of a place lie together.
class EventQueue {
public:
    void add(TimePoint at, EventKind kind, std::uint32_t subject, std::uint32_t detail)
    {
        heap_.push_back({at, next_number_++, subject, detail, kind});
        sift_up(heap_.size() - 1);
    }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] SimEvent const& top() const { return heap_.front(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    SimEvent pop()
    {
        SimEvent const first = heap_.front();
        heap_.front() = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) {
            sift_down(0);
        }
        return first;
    }

private:
    static bool before(SimEvent const& a, SimEvent const& b)
    {
        return a.at != b.at ? a.at < b.at : a.number < b.number;
    }
    void sift_up(std::size_t place)
    {
        SimEvent const moving = heap_[place];
        while (place > 0) {
            std::size_t const parent = (place - 1) / 4;
            if (!before(moving, heap_[parent])) {
                break;
            }
            heap_[place] = heap_[parent];
            place = parent;
        }
        heap_[place] = moving;
    }
    void sift_down(std::size_t place)
    {
        SimEvent const moving = heap_[place];
        for (;;) {
            std::size_t const first = place * 4 + 1;
            if (first >= heap_.size()) {
                break;
            }
            std::size_t const end = first + 4 < heap_.size() ? first + 4 : heap_.size();
            std::size_t best = first;
            for (std::size_t child = first + 1; child < end; ++child) {
                if (before(heap_[child], heap_[best])) {
                    best = child;
                }
            }
            if (!before(heap_[best], moving)) {
                break;
            }
            heap_[place] = heap_[best];
            place = best;
        }
        heap_[place] = moving;
    }

    std::vector<SimEvent> heap_;
    std::uint64_t next_number_ = 0;
};

} // namespace ppsp::sim
