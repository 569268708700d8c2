// The parts that reports are made of: a load's figures as tables, charts and JSON.
//
// Promise: the same figures under the same names in all three. Times in milliseconds, rates a
// second.
// Errors: none: what was not measured (no gaps without streaming) is left out or a dash.
// Threads: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/page.h"
#include "bench/summary.h"
#include "bench/timeline.h"

namespace hangar::bench {

std::string shown_number(double value);  // three or four digits
std::string shown_share(double share);   // "93.4%"

PageTable throughput_table(const Summary& summary, const LatencyTargets& targets);
PageTable latency_table(const Summary& summary);
// No rows where nothing failed.
PageTable error_table(const Summary& summary);

PageChart throughput_chart(const Timeline& timeline);
// Percentiles from 0 to 100 of one figure.
PageSeries percentile_series(std::string name, std::vector<double> values);
// TTFT, TPOT and end to end of a load, as curves over the percentile.
PageChart percentile_chart(std::span<const RequestRecord> records);
// Each request's TTFT over when it was due; thinned out evenly past 2,000 of them.
PageChart first_token_chart(const LoadResult& load);

boost::json::object spread_json(const Spread& spread);
boost::json::object summary_json(const Summary& summary, const LatencyTargets& targets);
boost::json::object timeline_json(const Timeline& timeline);

}  // namespace hangar::bench
