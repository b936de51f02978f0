package collector_test

import (
	"context"
	"fmt"
	"time"

	"topdeck/collector"
)

// A list is asked for once; somebody who wants it at every tick watches it instead.
func ExampleCollector_Collect() {
	c, err := collector.New(collector.Config{Interval: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go c.Run(ctx, func(*collector.Sample) {})

	sample, err := c.Collect(ctx, collector.PartProcesses|collector.PartTasks)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(sample.Processes) == sample.Summary.Tasks.Total)
	// Output: true
}
