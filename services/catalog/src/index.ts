export { type GeneratedProduct, type GenerateOptions, generateProducts } from './domain/generator/generate-products.ts';
export { catalog } from './service.ts';
