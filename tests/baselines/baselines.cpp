#include "tests/baselines/baselines.hpp"

#include "tests/baselines/deadline_segments.hpp"
#include "tests/baselines/pull_push.hpp"
#include "tests/baselines/random_useful.hpp"
#include "tests/baselines/rarest.hpp"

#include <memory>

namespace ppsp::baselines {
namespace {

std::unique_ptr<peer::Picker> random_useful(Rng rng)
{
    return std::make_unique<RandomUseful>(PullConfig{}, rng);
}

std::unique_ptr<peer::Picker> rarest(Rng rng)
{
    return std::make_unique<RarestFirst>(PullConfig{}, rng);
}

std::unique_ptr<peer::Picker> deadline_segments(Rng rng)
{
    return std::make_unique<DeadlineSegments>(rng);
}

std::unique_ptr<peer::Picker> pull_push(Rng rng)
{
    return std::make_unique<PullPush>(rng);
}

std::vector<Baseline> all()
{
    return {{"substream", {}, false, false},
            {"random-overlay", {}, false, true},
            {"random-useful", random_useful, false, false},
            {"deprived", random_useful, true, false},
            {"rarest", rarest, false, false},
            {"deadline-segments", deadline_segments, false, false},
            {"pull-push", pull_push, false, false}};
}

} // namespace

std::optional<Baseline> find(std::string_view name)
{
    for (Baseline& baseline : all()) {
        if (baseline.name == name) {
            return std::move(baseline);
        }
    }
    return std::nullopt;
}

std::string names()
{
    std::string list;
    for (Baseline const& baseline : all()) {
        list += (list.empty() ? "" : ", ") + std::string{baseline.name};
    }
    return list;
}

} // namespace ppsp::baselines
