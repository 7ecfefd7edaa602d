// Package shopify holds Shopify's sarama 1.19, of 2018, to the stories of broker/clients at its default settings and at the
// versions it knows. Its programs are those of broker/clients/sarama word for word: that they run unchanged is the promise.
package shopify
