#include "tracker/registry/connect_rules.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include <fstream>
#include <sstream>

namespace ppsp::tracker {
namespace {

using ppstp::Action;
using ppstp::PeerMode;
using ppstp::SwarmAction;

boost::json::value load_vectors()
{
    std::ifstream file(PPSP_TEST_VECTORS "/ppstp.json");
    std::stringstream text;
    text << file.rdbuf();
    return boost::json::parse(text.str());
}

SwarmAction join(std::string swarm, PeerMode mode = PeerMode::leech)
{
    return {std::move(swarm), Action::join, mode};
}

SwarmAction leave(std::string swarm, PeerMode mode = PeerMode::leech)
{
    return {std::move(swarm), Action::leave, mode};
}

/// Builds the situation of a row of Table 6: swarms that are left are those the peer is in.
struct Row {
    std::vector<SwarmAction> actions;
    std::vector<Membership> memberships;
};

Row row_of(boost::json::object const& vector)
{
    Row row;
    bool const is_tracking = vector.at("state").as_string() == "TRACKING";
    for (auto const& entry : vector.at("actions").as_array()) {
        auto const mode =
            entry.as_array()[0].as_string() == "SEEDER" ? PeerMode::seeder : PeerMode::leech;
        auto const number = std::to_string(row.actions.size());
        if (entry.as_array()[1].as_string() == "JOIN") {
            row.actions.push_back(join("joined-" + number, mode));
        } else {
            row.actions.push_back(leave("left-" + number, mode));
            if (is_tracking) {
                row.memberships.push_back({"left-" + number, mode});
            }
        }
    }
    if (is_tracking && row.memberships.empty()) {
        row.memberships.push_back({"other", PeerMode::seeder});
    }
    return row;
}

TEST(Ppstp, S4_1_1_table_6_of_the_vectors)
{
    Limits strict;
    strict.strict = true;
    std::size_t checked = 0;
    auto const vectors = load_vectors();
    for (auto const& entry : vectors.at("connect_matrix").as_array()) {
        auto const& vector = entry.as_object();
        SCOPED_TRACE(testing::Message() << "row " << checked);
        auto const row = row_of(vector);
        auto const state =
            vector.at("state").as_string() == "TRACKING" ? PeerState::tracking : PeerState::start;
        auto const verdict = judge_connect(state, row.memberships, row.actions, strict);
        EXPECT_EQ(verdict.is_valid, vector.at("valid").as_bool());
        EXPECT_EQ(verdict.reason.empty(), verdict.is_valid);
        EXPECT_EQ(verdict.next, vector.at("next").as_string() == "TRACKING" ? PeerState::tracking
                                                                            : PeerState::terminate);
        ++checked;
    }
    EXPECT_EQ(checked, 8u);
}

/// Table 6 says TERMINATE, §2.3.2 C says that the peer stays; we keep it unless strict.
TEST(Ppstp, S2_3_2_c_a_seeder_that_joins_while_tracked_stays)
{
    std::vector<Membership> const memberships{{"a", PeerMode::seeder}};
    std::vector<SwarmAction> const actions{join("b", PeerMode::seeder)};
    auto const verdict = judge_connect(PeerState::tracking, memberships, actions, {});
    EXPECT_FALSE(verdict.is_valid);
    EXPECT_EQ(verdict.next, PeerState::tracking);
}

TEST(ConnectRules, joining_the_same_swarm_again_is_a_refresh)
{
    std::vector<Membership> const memberships{{"a", PeerMode::leech}};
    for (auto const mode : {PeerMode::leech, PeerMode::seeder}) {
        std::vector<SwarmAction> const actions{join("a", mode)};
        auto const verdict = judge_connect(PeerState::tracking, memberships, actions, {});
        EXPECT_TRUE(verdict.is_valid);
        EXPECT_EQ(verdict.next, PeerState::tracking);
    }
}

TEST(ConnectRules, a_second_swarm_for_a_viewer_is_refused_without_removal)
{
    std::vector<Membership> const memberships{{"a", PeerMode::leech}};
    std::vector<SwarmAction> const actions{join("b")};
    auto const verdict = judge_connect(PeerState::tracking, memberships, actions, {});
    EXPECT_FALSE(verdict.is_valid);
    EXPECT_EQ(verdict.next, PeerState::tracking);
    Limits two;
    two.leech_swarms_max = 2;
    EXPECT_TRUE(judge_connect(PeerState::tracking, memberships, actions, two).is_valid);
}

TEST(ConnectRules, a_channel_change_works_in_either_order)
{
    std::vector<Membership> const memberships{{"a", PeerMode::leech}};
    for (auto const& actions : {std::vector{join("b"), leave("a")}, {leave("a"), join("b")}}) {
        auto const verdict = judge_connect(PeerState::tracking, memberships, actions, {});
        EXPECT_EQ(verdict.allowed, (std::vector<bool>{true, true}));
        EXPECT_EQ(verdict.next, PeerState::tracking);
    }
}

TEST(ConnectRules, a_partly_valid_request_is_carried_out_in_part)
{
    std::vector<SwarmAction> const actions{join("a"), join("b")};
    auto const verdict = judge_connect(PeerState::start, {}, actions, {});
    EXPECT_TRUE(verdict.is_valid);
    EXPECT_EQ(verdict.allowed, (std::vector<bool>{true, false}));
    EXPECT_FALSE(verdict.reason.empty());
}

TEST(ConnectRules, the_swarms_of_one_peer_are_bounded)
{
    Limits limits;
    limits.swarms_per_peer_max = 3;
    std::vector<SwarmAction> actions;
    for (int i = 0; i < 4; ++i) {
        actions.push_back(join(std::to_string(i), PeerMode::seeder));
    }
    auto const verdict = judge_connect(PeerState::start, {}, actions, limits);
    EXPECT_EQ(verdict.allowed, (std::vector<bool>{true, true, true, false}));
}

TEST(ConnectRules, leaving_a_swarm_that_one_is_not_in_is_refused)
{
    std::vector<Membership> const memberships{{"a", PeerMode::leech}};
    std::vector<SwarmAction> const actions{leave("b")};
    auto const verdict = judge_connect(PeerState::tracking, memberships, actions, {});
    EXPECT_FALSE(verdict.is_valid);
    EXPECT_EQ(verdict.next, PeerState::tracking);
}

} // namespace
} // namespace ppsp::tracker
